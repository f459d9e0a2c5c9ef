#!/usr/bin/env python3
"""A collector of traces for tests: collector.py take|hang|refuse [CERTIFICATE KEY]

Prints its port, then for each batch a line of JSON: the resource, the spans as the official classes of the protocol decode
them, and all bytes of the request. A field that these classes do not know fails the batch. `hang` takes connections and
never answers; `refuse` answers 503. With a certificate and its key, PEM files, it speaks TLS.
"""

import http.server
import json
import ssl
import sys
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


def plain(value):
    """An AnyValue as JSON."""
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def attributes(message):
    return {it.key: plain(it.value) for it in message.attributes}


def spans(request):
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield {
                    "resource": attributes(of_resource.resource),
                    "scope": of_scope.scope.name,
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": span.kind,
                    "flags": span.flags,
                    "begun": span.start_time_unix_nano,
                    "ended": span.end_time_unix_nano,
                    "attributes": attributes(span),
                    "status": span.status.code,
                }


class Collector(http.server.BaseHTTPRequestHandler):
    mode = "take"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.mode == "hang":
            time.sleep(3600)
        if self.mode == "refuse":
            self.send_error(503)
            return
        if self.path != "/v1/traces" or self.headers["content-type"] != "application/x-protobuf":
            self.send_error(404)
            return
        request = ExportTraceServiceRequest.FromString(body)
        # What is not known is not written again.
        known = ExportTraceServiceRequest()
        known.CopyFrom(request)
        known.DiscardUnknownFields()
        is_known = known.ByteSize() == request.ByteSize()
        batch = {"known": is_known, "spans": list(spans(request)), "bytes": (str(self.headers).encode() + body).hex()}
        print(json.dumps(batch), flush=True)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    Collector.mode = sys.argv[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.daemon_threads = True
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


main()
