#!/bin/sh
# Runs tests/erps/test_real_odoo.py against Debian's odoo-14, in a chroot beside PostgreSQL. It needs root and
# debootstrap, psql and curl; the chroot is kept in ODOO_ROOT, the database goes when the tests have ended.
set -eu
root=${ODOO_ROOT:-/var/tmp/gateway-odoo-14}
server=${ODOO_POSTGRES:-postgresql://postgres@127.0.0.1:5432/postgres}
port=${ODOO_PORT:-8179}
name=gateway_odoo_$$

if ! [ -x "$root/usr/bin/odoo" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -v security | head -n 1)
    echo "Installing odoo-14 of Debian bullseye from $mirror into $root ..."
    debootstrap --variant=minbase bullseye "$root" "$mirror" > "$root.log" 2>&1
    printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"  # no service is started
    chmod +x "$root/usr/sbin/policy-rc.d"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends odoo-14 >> "$root.log" 2>&1
fi

odoo=
ended() {
    [ -z "$odoo" ] || kill "$odoo" 2> /dev/null || true
    [ -z "$odoo" ] || wait "$odoo" 2> /dev/null || true
    psql -q "$server" -c "DROP DATABASE IF EXISTS $name" -c "DROP ROLE IF EXISTS $name" || true
    umount "$root/proc" || true
}
trap ended EXIT
trap 'exit 1' INT TERM
mount -t proc proc "$root/proc"
psql -q "$server" -c "CREATE ROLE $name LOGIN CREATEDB"
host=${server##*@}
host=${host%%[:/]*}
run_odoo() {
    exec chroot --userspec=odoo "$root" odoo -d "$name" --db_host "$host" --db_user "$name" --db_password any \
        --http-interface 127.0.0.1 --http-port "$port" --data-dir /tmp/odoo --without-demo=all "$@"
}
(run_odoo -i account,l10n_generic_coa --stop-after-init > "$root.init.log" 2>&1)
run_odoo > "$root.run.log" 2>&1 &
odoo=$!
for _ in $(seq 60); do
    curl -s -o /dev/null "http://127.0.0.1:$port/web/login" && break
    sleep 1
done
GATEWAY_REAL_ODOO="http://127.0.0.1:$port $name" "${PYTHON:-python3}" -m pytest -q -p no:cacheprovider tests/erps/test_real_odoo.py
