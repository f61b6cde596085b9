# Stepmark. `make help` lists the targets.
PYTHON ?= python3
PROFILE ?= quick
K ?=
ARGS ?=
BASE ?=
BASELINE ?=
GATE_PROFILE = $(if $(filter file,$(origin PROFILE)),gate,$(PROFILE))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "stepmark needs Python 3.11 or later, found $$($(PYTHON) --version); set PYTHON=..."; exit 2; }
SIDE ?= 2
PYTEST = $(BIN)/python -m pytest tests -n $(SIDE) --dist worksteal
ENGINE ?=
VARIANT ?= full
BASE_IMAGE ?=
PYTHON_VERSION ?=
WHEELS ?=
CORES ?=
CPUS ?=
MEMORY ?=
GPUS ?=
IMAGE = $(PYTHON) docker/image.py
INSIDE = $(addprefix tests/,analysis comparison contracts distributed effects exports levels matrix measuring overview records report runner) \
	--ignore tests/report/test_report_browser.py \
	--deselect tests/runner/test_launcher.py::test_no_process_of_a_launcher_is_traced_where_coverage_measures_subprocesses
IMAGE_OPTIONS = --variant '$(VARIANT)' $(if $(ENGINE),--engine '$(ENGINE)') $(if $(BASE_IMAGE),--base '$(BASE_IMAGE)') \
	$(if $(PYTHON_VERSION),--python '$(PYTHON_VERSION)') $(if $(WHEELS),--wheels '$(WHEELS)')
IMAGE_LIMITS = $(if $(CORES),--cores '$(CORES)') $(if $(CPUS),--cpus '$(CPUS)') $(if $(MEMORY),--memory '$(MEMORY)') \
	$(if $(GPUS),--gpus '$(GPUS)')

.DEFAULT_GOAL := help
.PHONY: help setup bench gate gate-study test test-slow test-nightly test-gpu device-kit device-check check format report overhead scale inputs sampling validity coverage effects report-bench noise twins full inside image image-verify image-test bench-image licences lock schemas dist clean

help: ## this list
	@echo "usage: make TARGET [PROFILE=quick|smoke|full] [K='expression'] [ARGS='more pytest options'] [BASE=revision]"
	@sed -n 's/^\([a-z-]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

$(READY): requirements.lock pyproject.toml
	@$(CHECK_PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

setup: $(READY) ## make .venv from requirements.lock

bench: $(READY) ## measure PROFILE, write a record and a report under reports/runs, print their paths
	$(BIN)/python -m pytest cases --profile $(PROFILE) $(if $(K),-k '$(K)') $(ARGS)

gate: $(READY) ## compare the working tree with the revision BASE; or a new run of PROFILE with the stored run BASELINE
	@test -n '$(BASE)$(BASELINE)' || { echo "nothing to gate against; set BASE to a git revision, or BASELINE to a run"; exit 2; }
ifneq ($(BASE),)
	$(BIN)/stepmark gate --baseline 'rev:$(BASE)' --candidate dir:. --profile $(GATE_PROFILE) $(if $(K),-k '$(K)') $(ARGS)
else
	@test -e '$(BASELINE)' || { echo "there is no $(BASELINE); set BASELINE to a run's folder or record.jsonl"; exit 2; }
	@candidate=reports/runs/$$(date -u +%Y-%m-%dT%H-%M-%S)-candidate; \
		$(BIN)/python -m pytest cases --profile $(PROFILE) $(if $(K),-k '$(K)') $(ARGS) --record $$candidate && \
		$(BIN)/stepmark compare '$(BASELINE)' $$candidate
endif

gate-study: $(READY) ## errors and power of the gate and of other tools: takes hours, can be continued; STUDY=short
	$(BIN)/python docs/studies/gate/study.py
	$(BIN)/python docs/studies/gate/redealt.py
	$(BIN)/python docs/studies/gate/page.py

test: $(READY) ## the fast tests, a short gate among them, about 6 minutes on 2 cores; SIDE=0 runs one at a time
	$(PYTEST) -m 'not slow and not nightly' $(if $(K),-k '$(K)') $(ARGS)

test-slow: $(READY) ## the slower tests of CI: kills, signals, resumed runs, ranks of torchrun, odd machines, live gates
	$(PYTEST) -m slow $(if $(K),-k '$(K)') $(ARGS)

test-nightly: $(READY) ## the slowest tests: 50 kills at random moments, all tunings compiled, two hosts
	$(BIN)/python -m pytest tests -m 'nightly or hypothesis' --hypothesis-profile searching $(if $(K),-k '$(K)') $(ARGS)

test-gpu: $(READY) ## the tests that need CUDA devices, then the profile gpu_slice without instruments: 16 cases
	$(BIN)/python -m pytest tests -m gpu $(ARGS)
	@if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; \
		then $(BIN)/python -m pytest cases --profile gpu_slice --surveys none; \
		else echo "no CUDA device here: the profile gpu_slice was not run"; fi

device-kit: $(READY) ## pack device-check with project and wheels, for a machine without a network; PYTHON_VERSION=3.12
	$(BIN)/python docs/studies/device/prepare.py $(if $(PYTHON_VERSION),--python '$(PYTHON_VERSION)') $(ARGS)

device-check: $(READY) ## check this machine's GPU in nine minutes: all features, tests, runs, a gate; ARGS='first tests'
	$(BIN)/python docs/studies/device/check.py $(ARGS)

check: $(READY) ## check lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## format, and let ruff fix simple faults
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

report: $(READY) ## write the page of every record under reports/ again
	@for record in $$(find reports -name record.jsonl); do \
		$(BIN)/stepmark report $$record -o $$(dirname $$record)/report.html || exit; done

overhead: $(READY) ## overhead of a visit, and step times against bare loops: takes hours, can be continued; ARGS=--short
	$(if $(findstring --short,$(ARGS)),,$(BIN)/python docs/studies/overhead.py)
	$(BIN)/python docs/studies/hot_loop.py $(ARGS)

scale: $(READY) ## time to list and to collect 10,000 cases, against an empty pytest parametrisation
	$(BIN)/python docs/studies/scale.py

twins: $(READY) ## difference of one network under two names, while another process loads a core half of the time
	$(BIN)/python docs/studies/twins.py

inputs: $(READY) ## step time of each input pipeline, and the wait in it
	$(BIN)/python docs/studies/inputs.py

sampling: $(READY) ## step time with the sampler, and with the timers of phases, against without
	$(BIN)/python docs/studies/sampling.py

validity: $(READY) ## validity labels of runs with a load, a quota, a memory-hungry neighbour, or another allocator
	$(BIN)/python docs/studies/validity.py

coverage: $(READY) ## share of intervals that contain the truth of a run, by simulation
	$(BIN)/python docs/studies/coverage.py

effects: $(READY) ## share of intervals of effects that contain the truth, by simulation; RUNS=1000
	$(BIN)/python docs/studies/effects.py

report-bench: $(READY) ## the page at 1,000 and 10,000 cases: seconds to make, MB, seconds until usable in a browser
	$(BIN)/python docs/studies/report_bench.py $(ARGS)

noise: $(READY) ## differences between two runs of quick, one after the other, against plain pytest-benchmark
	$(BIN)/python docs/studies/noise.py

full: $(READY) ## every case of the full profile once, with the shortest plan: an hour and a half, can be continued
	$(BIN)/python docs/studies/full.py

inside: $(READY) ## step times in the image against outside, alternately; BLOCKS=20 ARGS=IMAGE; can be continued
	$(BIN)/python docs/studies/inside.py $(ARGS)

image: ## build the image localhost/stepmark:VARIANT (docs/images.md); ENGINE=buildah, podman or docker
	@$(CHECK_PYTHON)
	$(IMAGE) build $(IMAGE_OPTIONS)

image-verify: ## build the image twice, in two folders at two times, compare, and name the files that differ
	@$(CHECK_PYTHON)
	$(IMAGE) verify $(IMAGE_OPTIONS)

bench-image: ## measure PROFILE in the image: no network, read-only root; CORES=0,1 CPUS=1.5 MEMORY=4g GPUS=all
	@$(CHECK_PYTHON)
	$(IMAGE) run $(IMAGE_OPTIONS) $(IMAGE_LIMITS) -- \
		stepmark run --profile $(PROFILE) -p no:cacheprovider $(if $(K),-k '$(K)') $(ARGS)

image-test: ## the fast tests that measure and report, in the image of VARIANT=test: no network, read-only root
	@$(CHECK_PYTHON)
	$(IMAGE) run $(IMAGE_OPTIONS) --variant test $(IMAGE_LIMITS) -- env HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis \
		python -m pytest $(INSIDE) -n $(SIDE) --dist worksteal -m 'not slow and not nightly' -p no:cacheprovider $(if $(K),-k '$(K)') $(ARGS)

licences: $(READY) ## the packages of the image VARIANT, with their licences
	$(BIN)/python docker/licences.py $(VARIANT)

lock: $(READY) ## resolve requirements.lock again; ARGS='--upgrade-package NAME' upgrades one
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 \
		--no-header --quiet -o requirements.lock $(ARGS)
	echo cyclonedx-bom | $(BIN)/uv pip compile - --constraint requirements.lock --universal --generate-hashes \
		--python-version 3.11 --no-header --quiet -o docker/bill.lock $(ARGS)

schemas: $(READY) ## write the JSON Schemas of record and verdict, in docs/schemas, anew from the code
	PYTHONPATH=. $(BIN)/python docs/schemas/write.py

dist: $(READY) ## build wheel and sdist under dist/, and check them
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*

clean: ## remove generated files, but keep records
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
