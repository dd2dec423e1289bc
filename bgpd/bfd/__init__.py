"""BFD (RFC 5880, 5881, 5883): packets and sessions decide, the transport acts."""
