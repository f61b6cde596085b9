#!/bin/sh
# Runs in the build stage, as root and without a network. Fills /out with everything that the image adds to its base.
set -eu
umask 022
context=/context
export HOME=/tmp LC_ALL=C.UTF-8 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PIP_CONFIG_FILE=/dev/null

python3 -m venv --without-pip /opt/stepmark
python=/opt/stepmark/bin/python
pip=$(echo "$context"/wheels/pip-*.whl)/pip # pip runs from its wheel, so the image has none
install="$python $pip install --quiet --no-index --find-links $context/wheels --no-deps --no-compile --no-cache-dir
    --disable-pip-version-check --root-user-action=ignore --no-warn-script-location"

$install --require-hashes --requirement "$context/wheels/requirements.txt"
$install --require-hashes --target /tmp/tools --requirement "$context/wheels/tools.txt"
cp -R "$context/project" /stepmark
PYTHONPATH=/tmp/tools $install --no-build-isolation --editable /stepmark
rm -rf /stepmark/*.egg-info /stepmark/build

# The bill of materials. Its tool is found by no variable, since it asks the environment's Python for its packages.
$install --require-hashes --target /tmp/bill --requirement "$context/wheels/bill.txt"
$python -c "import runpy, sys
sys.path.insert(0, '/tmp/bill')
runpy.run_module('cyclonedx_py', run_name='__main__', alter_sys=True)" \
    environment --output-reproducible --output-format JSON --output-file /opt/stepmark/bom.json /opt/stepmark
mkdir -p /stepmark/reports /out/opt /out/etc

$python "$context/bytecode.py" /out /opt/stepmark /stepmark
mv /opt/stepmark /out/opt/stepmark
mv /stepmark /out/stepmark
cp "$context/image.json" /out/etc/stepmark-image.json
