// What holds the namespaces of a pod; tests/cluster/build.py builds it.
module bgpd.test/pause

go 1.26.0
