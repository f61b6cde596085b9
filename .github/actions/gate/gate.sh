#!/usr/bin/env bash
# Runs the gate, keeps its exit code for the last step, and its last words for the comment.
set -euo pipefail

revision=${BASELINE#rev:}
revision=${revision%%,*}
if [ "$BASELINE" != "${BASELINE#rev:}" ] && ! git cat-file -e "$revision^{commit}" 2>/dev/null; then
    depth=()
    if [ "$(git rev-parse --is-shallow-repository)" = true ]; then depth=(--depth 1); fi
    git fetch --quiet --no-tags "${depth[@]}" origin "$revision" || true # the gate says what is missing
fi

words=(gate --baseline "$BASELINE" --out "$OUT")
if [ -n "$PROFILE" ]; then words+=(--profile "$PROFILE"); fi
while IFS= read -r word; do words+=("$word"); done < <(xargs -r -n 1 printf '%s\n' <<<"$ARGUMENTS") # quotes, no shell

mkdir -p "$(dirname "$OUT")"
code=0
"$STEPMARK_PYTHON" -P -m suite.cli "${words[@]}" 2> >(tee "$OUT.stderr" >&2) || code=$?
{
    echo "exit-code=$code"
    echo "folder=$OUT"
} >>"$GITHUB_OUTPUT"
