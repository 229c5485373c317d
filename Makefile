# make env   a virtual environment in .venv/ with everything the project needs
# make demo  simulate the experiment, train a decoder, show how well it sees
# make test  style, types, import contracts and tests
# make test-cluster  jobs through a SLURM and a PostgreSQL started for the test, signals, orphans
# make test-oldest   a share of the tests on the oldest dependencies that are admitted
# make test-faults  kills, damaged files, full disks: minutes to hours; SEED=7 KILLS=200 FILES=1000
# make test-statistics   every test and interval on simulated data, minutes; SEED=7 SCALE=0.1
# make test-wheel     a wheel built, installed with all it needs in an empty environment, and tried
# make pictures  the pictures of README and gallery, the pages of the notebooks; minutes
# make docs  the documentation as a site in site/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: env demo test test-slow test-cluster test-faults test-statistics test-oldest test-wheel pictures docs format clean

env: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mua_decode needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --prefer-binary --editable ".[dev]"
	@touch $@

demo: $(READY)
	$(BIN)/mua-decode train experiment=demo

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-slow: $(READY)
	$(BIN)/python -m pytest -m "slow"

test-cluster: $(READY)
	$(BIN)/python -m pytest -m slow -rs tests/sweep/test_cluster.py tests/runs/test_ending.py

# Gigabytes, in an environment of its own: torch of that age has no build for the CPU alone on PyPI.
OLDEST := .venv-oldest
test-oldest:
	test -d $(OLDEST) || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --prefer-binary --constraint .ci/oldest.txt \
		--editable . "pytest>=8" "pytest-timeout>=2.3" "scikit-image>=0.24" "hypothesis>=6.100" "nwbinspector>=0.6" \
		"tensorboard==2.18" "hatchling>=1.25"
	$(OLDEST)/bin/python -m pytest tests/types tests/recordings tests/data tests/models tests/nn \
		tests/losses tests/metrics tests/figures tests/runs tests/commands tests/sweep

# Gigabytes too. The folder of the checkout is no place to try it from: its own package would be found.
WHEEL := .venv-wheel
test-wheel:
	rm -rf $(WHEEL) && mkdir -p $(WHEEL)/away && $(PYTHON) -m venv $(WHEEL)
	MUA_DECODE_BUILD_KERNEL=$(if $(shell which c++ 2>/dev/null),1,0) \
		$(WHEEL)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(WHEEL)/dist .
	$(WHEEL)/bin/python -m pip install --quiet --prefer-binary $(WHEEL)/dist/*.whl
	cd $(WHEEL)/away && ../bin/mua-decode inspect recording=simulated_small && \
		../bin/mua-decode train recording=simulated_small recording.stimulus.frame.resolution=0.5 \
		model.width=2 "model.kernel_sizes=[3,3,3,3]" model.spike_hidden=16 data.pseudo.per_condition=20 \
		trainer.max_epochs=1 "metric=[identification]" "floor=[mean_video]" run_dir=run && \
		../bin/mua-decode evaluate run_dir=run

test-faults: $(READY)
	$(BIN)/python -m tests.faults.campaign $(if $(SEED),--seed $(SEED)) \
		--kills $(or $(KILLS),200) --files $(or $(FILES),1000)

test-statistics: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.statistics.calibration.campaign --write \
		--seed $(or $(SEED),1) --scale $(or $(SCALE),1)

pictures: $(READY)
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/notebooks.py

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(OLDEST) $(WHEEL) site .pytest_cache .mypy_cache .ruff_cache .hypothesis
