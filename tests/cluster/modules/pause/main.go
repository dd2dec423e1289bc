// Pause is the first process of a pod: it holds the pod's namespaces, reaps whoever is left by
// its parent, and ends when it is told to.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 16)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for one := range told {
		if one != syscall.SIGCHLD {
			os.Exit(0)
		}
		for reaped := true; reaped; {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			reaped = err == nil && pid > 0
		}
	}
}
