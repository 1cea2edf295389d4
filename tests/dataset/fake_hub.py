"""A Hugging Face Hub with one user, as far as a push of a dataset needs it."""

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "hf_0123456789abcdef"
USER = "ann"


@dataclass
class FakeHub:
    """Takes pushes of `ann` with her token, and remembers the files."""

    refuses: dict[str, int] = field(default_factory=dict)
    """Statuses that uploads get instead, by the dataset's name."""
    files: dict[str, bytes] = field(default_factory=dict)
    created: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                known = self.headers.get("authorization") == f"Bearer {TOKEN}"
                status, said = (
                    hub.answer(self.path, self.rfile.read(size)) if known else (401, {"error": "who?"})
                )
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the JSON for one request."""
        self.asked.append(path)
        if path.endswith("/repos/create"):
            wanted = json.loads(body)
            if wanted.get("organization") not in (None, USER):
                return 403, {"error": "You have no right to create it."}
            self.created.append(wanted)
            return 200, {"url": f"{self.url}/datasets/{USER}/{wanted['name']}"}
        for name, status in self.refuses.items():
            if f"/{name}/" in path:
                return status, {"error": "no"}
        if "/preupload/" in path:
            files = [{"path": each["path"], "uploadMode": "regular"} for each in json.loads(body)["files"]]
            return 200, {"files": [each | {"shouldIgnore": False} for each in files]}
        if "/commit/" in path:
            for line in filter(None, body.splitlines()):
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            return 200, {
                "success": True,
                "commitOid": "0" * 40,
                "commitUrl": f"{self.url}/datasets/{USER}/traces/commit/{'0' * 40}",
                "hookOutput": "",
            }
        return 200, {"errors": [], "warnings": []}
