#!/usr/bin/env bash
# Fails on a commit of the range whose subject is not `area: what changed`, in at most 72 characters. Merges may say what they like.
set -euo pipefail

wrong=$(git log --no-merges --format='%h %s' "$1" | awk '
  { subject = substr($0, index($0, " ") + 1) }
  subject !~ /^[a-z0-9][a-z0-9\/-]*: [^ ]/ || length(subject) > 72 { print "  " $0 }
')
if [ -n "$wrong" ]; then
  printf 'A subject is `area: what changed`, in at most 72 characters (see CONTRIBUTING.md):\n%s\n' "$wrong"
  exit 1
fi
