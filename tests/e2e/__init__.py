"""What a user does with bgpd on a real cluster, from `helm install` to `helm uninstall`."""
