# Everything a developer types. Each target sets the checkout up first; where that is done, it takes 0.1 s.
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE  # some images set it: then every process compiles the same modules again
.PHONY: help bootstrap study test docs format test-slow test-attack test-native test-wheel test-cloud test-s3

help:
	@echo "make study       set up, then compare seven treatments of two networks, eight trials each, on MNIST"
	@echo "make test        set up, then ruff, mypy and the tests that take seconds"
	@echo "make test-slow   set up, then the tests of whole programs: examples, pages, killed runs, other libraries"
	@echo "make docs        set up, then build the documentation as a site, strictly, into site/"
	@echo "make format      set up, then let ruff format and mend the code"
	@echo "make test-attack set up, then attack: kills, flipped bits, hostile archives, planted libraries, odd machines"
	@echo "make test-native set up, then build the C++ engine with sanitizers and for every vector width, and compare"
	@echo "make test-wheel  set up, then build the wheel, install it into an empty environment and run it there"
	@echo "make test-cloud  set up, then send studies to a SageMaker of this machine, with jobs as real processes"
	@echo "make test-s3     set up, then test what comes back from S3 against Ceph instead of moto (wants radosgw)"
	@echo "make bootstrap   set up only; scripts/bootstrap --help lists the options"

bootstrap:
	@scripts/bootstrap

study: bootstrap
	.venv/bin/frustration study run
	@scripts/bootstrap --hint

test: bootstrap
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict src
	.venv/bin/pytest --numprocesses auto --maxprocesses 8 --dist worksteal

test-slow: bootstrap
	@# Each worker imports all files that it is given. One more than cores: they wait for their programs.
	.venv/bin/pytest -m slow --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --maxprocesses 8 --dist worksteal \
		$$(grep --recursive --files-with-matches --include='test_*.py' 'mark\.slow' tests)

docs: bootstrap
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

format: bootstrap
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

test-attack: bootstrap
	.venv/bin/python scripts/attack.py

test-native: bootstrap
	.venv/bin/python scripts/test_native.py

test-wheel: bootstrap
	.venv/bin/python scripts/check_wheel.py

test-cloud: bootstrap
	.venv/bin/python scripts/test_cloud.py

test-s3: bootstrap
	.venv/bin/python scripts/test_s3.py
