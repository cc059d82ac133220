# Sets $python to the Python of the virtual environment of this folder, in target/spec-venv or in $ZKLLM_SPEC_VENV.
# It is made at the first call, and brought up to date when requirements.txt has changed. $here is the folder spec.
venv=${ZKLLM_SPEC_VENV:-$here/../target/spec-venv}
python=$venv/bin/python
requirements=$here/reference/requirements.txt
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    { python3 -m venv "$venv" && "$python" -m pip install --quiet --disable-pip-version-check -r "$requirements" &&
        cp "$requirements" "$venv/requirements.txt"; } >&2 || exit 2
fi
export PYTHONDONTWRITEBYTECODE=1
