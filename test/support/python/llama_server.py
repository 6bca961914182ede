"""llama.cpp's own server, as one package of Python brings it: runs a model file on a free port until its parent is gone."""

import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"tiny"} if isinstance(params.model_alias, (set, frozenset)) else "tiny"
params.port = 0
params.n_ctx = 16384
params.n_parallel = 4
params.n_gpu_layers = 0
params.use_jinja = True
params.warmup = False
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
# Its parent's end closes this pipe.
sys.stdin.read()
