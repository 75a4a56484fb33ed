# One way in: `make demo`, `make test`, `make check`, `make bundles`, `make docs`, `make bench`. Each makes the environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := trainer/demo/demo.pcap.gz
# Files of tests side by side: most of them wait for processes and sockets. Each process collects for itself, so a test's parameters
# must not depend on the clock, nor on chance (gzip.compress: mtime=0). Four, also on two cores: half of their time is spent waiting.
PYTEST := $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo demo-gateway test check bundles docs bench bench-zeek bench-model bench-learning bench-act deb test-deb clean
.DEFAULT_GOAL := test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of packages, so that they are installed again only when pyproject.toml changes.
$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "Installing eacf into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "Installing eacf, its trainer (TensorFlow) and test tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[trainer,test]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml $(VENV)/.test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[trainer,test,dev]'
	@touch $@

$(VENV)/.bench: pyproject.toml $(VENV)/.test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[trainer,test,bench]'
	@touch $@

# A capture of made-up applications goes in, labels come out; eacf.log lies in demo-out/ afterwards.
demo: $(VENV)/.run
	@$(BIN)/eacf replay $(DEMO) --bundle testbed --log-dir demo-out
	@echo
	@echo "Every line is in demo-out/eacf.log too. Now a capture of your own:"
	@echo "    $(BIN)/eacf replay YOUR.pcap --log-dir ."

test: $(VENV)/.test
	$(PYTEST)

# All that CI does: style, types, the direction of imports, tests.
check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST)

# The shipped bundle of made-up applications, from captures that are generated. `public` needs real ones:
# eacf-train bundles public --captures FOLDER
bundles: $(VENV)/.test
	$(BIN)/eacf-train bundles testbed

# The pages that are made from the code: the settings of the Zeek package, and every metric.
docs: $(VENV)/.run
	$(PYTHON) packaging/zeek_settings.py
	$(BIN)/python packaging/metrics_page.py

bench: $(VENV)/.bench
	$(BIN)/python tests/bench --out bench.json

# Needs zeek on the PATH and, for the live part, root.
bench-zeek: $(VENV)/.test
	$(BIN)/python tests/bench_zeek --out bench-zeek.json

# Trains some hundred models; what is done is kept in build/, so that a second run only does what is new. Real captures: EACF_SHARED.
bench-model: $(VENV)/.test
	$(BIN)/python tests/bench_model --out bench-model.json

# The learning loop: drift, swaps under load, an update from end to end, kill -9; an hour. The live part needs zeek on the PATH and root.
bench-learning: $(VENV)/.test
	$(BIN)/python tests/bench_learning --out bench-learning.json

# Debian packages of this machine's release and architecture, in dist/; needs debhelper and dpkg-dev (docs/install.md). ONLY=eacf: no trainer.
deb: | $(BIN)/python
	$(BIN)/python packaging/deb/build.py $(if $(ONLY),--only $(ONLY))

# Installs, upgrades, removes and purges them in a clean root, in which systemd boots; needs root, debootstrap and systemd-container.
test-deb: deb
	tests/packaging/try_deb.sh dist

# A client, a gateway and a server as network namespaces: two applications share a link, then a policy acts. Root, zeek, nftables, iproute2.
demo-gateway: $(VENV)/.test
	$(BIN)/python tests/demo_gateway

# How fast an act follows its flow, whether a rule is lost, what forwarding costs. Root, zeek, nftables, iproute2.
bench-act: $(VENV)/.test
	$(BIN)/python tests/bench_act --out bench-act.json

clean:
	rm -rf build dist demo-out bench.json bench-zeek.json bench-model.json bench-learning.json bench-act.json
