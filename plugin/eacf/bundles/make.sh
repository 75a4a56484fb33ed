#!/bin/sh
# Makes default.eacf, the bundle beside this file, and its run folder trainer/runs/default; `make bundles` builds the paper's too.
set -eu
cd "$(dirname "$0")/../../.."
exec .venv/bin/python -m eacf_trainer bundles --only default
