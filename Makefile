# `make demo` generates output/demo.mp4 with EMO; `make test` runs the tests. Every target builds .venv on first use.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.10 python3; do $$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
OUT ?= output/demo.mp4

.PHONY: demo test check fix bench slow gpu host nodes
VOICE := --audio assets/voice.wav --out $(OUT)
# Where MediaPipe brings no face points (Python 3.13 and newer), the face that emo-mini knows.
demo: $(READY)
	$(RUN) -m emo_core animate --model emo-mini-few --portrait assets/woman.jpg $(VOICE) || \
	$(RUN) -m emo_core animate --model emo-mini --portrait assets/portrait.png $(VOICE)

# Two processes of one thread each are faster than one of two. loadfile: the tests of a file share their fixtures.
test: $(READY)
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n 2 --dist loadfile

check: $(READY)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m pytest -q

slow: $(READY)
	$(RUN) -m pytest -q -m slow

gpu: $(READY)
	$(RUN) -m pytest -q -m gpu

# Needs a ComfyUI checkout with its own Python: make host COMFYUI_PATH=...
host: $(READY)
	$(RUN) -m pip install --quiet --requirement requirements-host.txt
	COMFYUI_PATH="$(COMFYUI_PATH)" $(RUN) -m pytest -q -m host tests/host

# Files derived from the node schemas: snapshot, node_list.json, tables of the help pages, workflows.
nodes: $(READY)
	$(RUN) -m tools.export_nodes
	$(RUN) -m tools.workflows

fix: $(READY)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(READY)
	$(RUN) -m tools.benchmark

$(READY): requirements-cli.txt requirements-face.txt requirements-train.txt requirements-dev.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --requirement requirements-dev.txt --constraint constraints.txt
	touch $(READY)
