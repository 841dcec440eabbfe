# fibrostage: `make demo` shows it, `make test` proves it. Every target sets up what it needs and skips what is there.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := build/stamps
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# What comes from Debian, Ubuntu or JetPack, and why (one list; `make setup` installs what is missing).
APT_CORE := \
	python3-venv \
	python3-gi python3-gst-1.0 gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 \
	gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-x \
	libgl1 \
	fonts-dejavu-core fonts-liberation fonts-wqy-microhei
APT_DEMO := mosquitto mosquitto-clients npm
APT_TEST := $(APT_DEMO) chromium r-base-core r-cran-proc dicom3tools openssl tcc xvfb gir1.2-gst-rtsp-server-1.0

.PHONY: help list-packages setup setup-demo setup-test setup-jetson demo test test-slow test-gpu faults sbom audit-dependencies check format bench bench-smoke pictures clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

list-packages: # for systemd/install
	@echo $(APT_CORE)

define apt_install
	@missing=""; for package in $(1); do \
		dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	case "$$missing" in *npm*) command -v npm >/dev/null && missing="$${missing// npm/}";; esac; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
endef

$(STAMPS)/apt-%: Makefile
	$(call apt_install,$(APT_$*))
	@mkdir -p $(STAMPS) && touch $@

$(VENV)/bin/python: | $(STAMPS)/apt-CORE
	@$(PYTHON) -m venv --system-site-packages $(VENV)

$(STAMPS)/core: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing the Python packages of the appliance"
	@$(PIP) --editable .
	@touch $@

$(STAMPS)/test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing the Python packages of the tests and of the training stack"
	@$(PIP) --editable '.[test,train,reports,archive]'
	@$(PIP) --no-deps tensorrt-stubs # types only: with its dependencies it would want TensorRT itself
	@touch $@ $(STAMPS)/core

MODULES := firmware_app/department/node_modules
PAGE := $(wildcard $(addprefix firmware_app/department/,*.html *.css *.js *.json *.py) firmware_app/wording/*.py)

build/department: $(PAGE) | $(STAMPS)/apt-DEMO $(STAMPS)/core
	@npm ci --silent --no-audit --no-fund --ignore-scripts --prefix firmware_app/department
	@rm -rf $@ && $(BIN)/python -m firmware_app.department.assembly $@ $(MODULES)/mqtt/dist/mqtt.min.js

build/test: firmware_app/department/package-lock.json | build/department
	@mkdir -p $@ && cp $(MODULES)/axe-core/axe.min.js $(MODULES)/mqtt/dist/mqtt.min.js $@/ && touch $@

setup: $(STAMPS)/core ## install the appliance
setup-demo: setup build/department
setup-test: $(STAMPS)/apt-TEST $(STAMPS)/test $(STAMPS)/supply build/department build/test

setup-jetson: $(STAMPS)/core ## install the appliance on a Jetson (TensorRT comes with JetPack)
	@$(PIP) --editable '.[jetson]'

demo: setup-demo ## play a virtual exam live: broker, appliance, subscriber, page (ONCE=1 ends after the result, SCANNERS=4 shows a department)
	@$(BIN)/python -m firmware_app.demo --department build/department --build build/demo \
		$(if $(SCANNERS),--scanners $(SCANNERS)) $(if $(ONCE),--once)

test: setup-test ## run the tests, two files at once (JOBS=1 in turn)
	@$(BIN)/python -m pytest --numprocesses $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder

test-slow: setup-test ## run the tests that take minutes
	@$(BIN)/python -m pytest -m slow --timeout 3600

test-gpu: setup-test setup-jetson ## run the tests that need a GPU with TensorRT (on the Jetson)
	@$(BIN)/python -m pytest -m gpu

faults: setup-test ## make 200 faults in 50 exams and check every promise (about 25 minutes; EXAMS=, FAULTS=, SEED=)
	@$(BIN)/python -m tests.faults.campaign --exams $(or $(EXAMS),50) --faults $(or $(FAULTS),200) --seed $(or $(SEED),1) \
		--slack $(or $(SLACK),1) --record

soak: setup-test ## run the appliance at full rate and watch memory, threads and descriptors (30 minutes; MINUTES=)
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),30)

# The tools have an environment of their own: what they need is not the appliance's.
$(STAMPS)/supply: systemd/supply/requirements.txt | $(STAMPS)/apt-CORE
	@$(PYTHON) -m venv build/supply && build/supply/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@mkdir -p $(STAMPS) && touch $@

sbom: $(STAMPS)/core $(STAMPS)/supply ## write the bill of materials, build/sbom.json (CycloneDX)
	@build/supply/bin/python systemd/supply/sbom.py --python $(BIN)/python --packages "$(APT_CORE)" --out build/sbom.json

audit-dependencies: sbom ## look for known vulnerabilities, and say what could be checked (OSV=all.zip for an offline copy)
	@build/supply/bin/python systemd/supply/audit.py build/sbom.json $(if $(OSV),--osv $(OSV))

check: setup-test ## lint, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-test ## format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup-test ## measure us and the alternatives, less than 15 minutes (ONLY=name, RUNS=3 for the spread)
	@$(BIN)/python -m benchmarks.run $(ONLY) --runs $(or $(RUNS),1)

bench-smoke: setup-test ## run every benchmark for some seconds, to see that it still works
	@$(BIN)/python -m benchmarks.run --smoke

pictures: setup-test ## write the overlay's approved pictures anew; look at each before you commit it
	@$(BIN)/python -m tests.firmware_app.overlay_gallery

clean: ## remove what was built
	rm -rf build $(VENV) firmware_app/department/node_modules
