// The versions of containerd and of all that it is compiled from; tests/cluster/build.py builds it.
// Nodes that run containers need it, its shim and its command line.
module bgpd.test/containerd

go 1.26.8

require github.com/containerd/containerd/v2 v2.3.7
