#!/bin/sh
# Makes the bundles beside this file and their run folders in trainer/eacf_trainer/shipped. `public` only where its captures are: $1, a folder with manifest.csv.
set -eu
cd "$(dirname "$0")/../../.."
.venv/bin/eacf-train bundles testbed
[ $# -eq 0 ] || .venv/bin/eacf-train bundles public --captures "$1"
