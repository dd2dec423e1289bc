"""The host: links, neighbors, routes and connections of this node, seen and kept."""
