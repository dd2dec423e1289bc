"""The controller: pools in, addresses of Services out. Its absence changes no address."""
