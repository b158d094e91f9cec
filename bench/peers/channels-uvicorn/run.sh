#!/usr/bin/env bash
# Serves the project in bench/peers/channels on uvicorn; its run.sh says which variables there are.
exec "$(dirname "$0")/../channels/run.sh" uvicorn
