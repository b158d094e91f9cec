#!/usr/bin/env bash
# Installs what the project in bench/peers/channels needs.
exec "$(dirname "$0")/../channels/setup.sh"
