"""A watch without anything around it: no resume, no liveness, no order kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import grpc.aio

from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.types import prefix_end


async def watch(endpoint: str, prefix: bytes, *, revision: int = 0) -> AsyncGenerator[pb.WatchResponse, None]:
    """Opens a watch and hands out its messages; the first says that it stands.

    Args:
        endpoint: `host:port` of etcd.
        prefix: what the keys begin with.
        revision: where to begin; 0: now.
    """
    async with grpc.aio.insecure_channel(endpoint, options=[("grpc.max_receive_message_length", -1)]) as channel:
        call = channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=pb.WatchRequest.SerializeToString,
            response_deserializer=pb.WatchResponse.FromString,
        )()
        create = pb.WatchCreateRequest(key=prefix, range_end=prefix_end(prefix), start_revision=revision)
        await call.write(pb.WatchRequest(create_request=create))
        async for response in call:
            yield response
