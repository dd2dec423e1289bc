"""A real gRPC server with the health service: `python -m tests.health.grpcserver [KEY CHAIN]`.

It prints its port, serves `shop.Cart` but not `shop.Till`, and ends with its standard input.
"""

import sys
from concurrent import futures
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


def main() -> None:
    """Serve until standard input ends."""
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    servicer.set("shop.Cart", health_pb2.HealthCheckResponse.SERVING)
    servicer.set("shop.Till", health_pb2.HealthCheckResponse.NOT_SERVING)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if len(sys.argv) > 1:
        key, chain = (Path(name).read_bytes() for name in sys.argv[1:])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
