#!/usr/bin/env bash
# Install, use, upgrade, remove and purge the Debian packages in a clean root; `make test-deb` builds them first. Needs root, debootstrap
# (for the root, once, from the network) and systemd-nspawn. The packages themselves are installed without a network.
#
#   plain    a root that no systemd runs in, as in a container's image: what is left behind is looked for, too
#   booted   systemd boots in it (systemd-nspawn): units, watchdog, an upgrade with a model in use; flows come from a real Zeek where one
#            is in /opt/zeek here
#
# usage: try_deb.sh FOLDER_OF_PACKAGES [plain|booted]
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
packages=$(cd "$1" && pwd)
only=${2:-all}
work=$here/build/try-deb
base=$work/base
root=$work/root
LIBRARIES=libpcap0.8,libmaxminddb0,libzmq5,libgssapi-krb5-2,libssl3,libsystemd0 # of a Zeek that is copied there
nspawn=
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
for tool in debootstrap systemd-nspawn dpkg-deb unshare nsenter; do
    command -v $tool >/dev/null || { echo "$tool is not there: apt-get install debootstrap systemd-container" >&2; exit 2; }
done

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
ok() { printf '   ok: %s\n' "$*"; }

halt() {
    if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
        inside systemctl poweroff >/dev/null 2>&1 || true
        for _ in $(seq 40); do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.25; done
        kill -KILL "$nspawn" 2>/dev/null || true
    fi
    nspawn=
    rm -rf "/run/systemd/nspawn/propagate/$(basename "$root")"
}
trap 'halt' EXIT

fresh_root() {
    halt
    if [ ! -e "$base/.made" ]; then
        say "debootstrap (once)"
        mkdir -p "$work"
        debootstrap --variant=minbase --include="python3,systemd,systemd-sysv,dbus,iproute2,nftables,libnftables1,$LIBRARIES" \
            bookworm "$base" http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 || fail "debootstrap; see $work/debootstrap.log"
        touch "$base/.made"
    fi
    rm -rf "$root"
    cp -a "$base" "$root"
    cp "$packages"/eacf_*.deb "$root/root/one.deb"
    cp "$packages"/eacf-trainer_*.deb "$root/root/trainer.deb"
    cp "$work/two.deb" "$work/trainer-two.deb" "$root/root/"
}

# The same packages as if the next version of each had been built.
next_version() {
    say "the next version of each package"
    mkdir -p "$work"
    for pair in eacf_:two eacf-trainer_:trainer-two; do
        rm -rf "$work/repack"
        dpkg-deb -R "$packages/${pair%%:*}"*.deb "$work/repack"
        version=$(sed -n 's/^Version: //p' "$work/repack/DEBIAN/control")
        sed -i "s/^Version: .*/Version: $version+next/; s/eacf (= $version)/eacf (= $version+next)/" "$work/repack/DEBIAN/control"
        module=$work/repack/usr/lib/eacf/lib/python3*/site-packages/eacf/__init__.py
        # shellcheck disable=SC2086
        if [ "${pair##*:}" = two ]; then sed -i 's/^__version__ = .*/__version__ = "9.9.9"/' $module; fi
        dpkg-deb -Znone -b "$work/repack" "$work/${pair##*:}.deb" >/dev/null
    done
    rm -rf "$work/repack"
}

listing() { # of all that is no log or cache
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./run -o -path ./root -o -path ./var/lib/dpkg \
        -o -path ./var/cache -o -path ./var/log \) -prune -o -print | sort)
}

count() { # count LOG FIELD VALUE: lines whose field is that; "set": is there
    awk -F'\t' -v field="$2" -v value="$3" '/^#fields/ { for (i = 2; i <= NF; i++) if ($i == field) at = i - 1 }
        !/^#/ && (value == "set" ? $at != "-" : $at == value) { n++ } END { print n + 0 }' "$1"
}
expect_labels() { # expect_labels LOG: most flows have one
    [ "$(count "$1" label set)" -gt 60 ] || fail "$1: $(count "$1" label set) flows have a label"
    ok "$(count "$1" label set) of $(count "$1" uid set) flows of the demo have a label"
}
expect_answers() { # expect_answers LOG: each flow was answered, if only by "abstained"
    answered=$(($(count "$1" label set) + $(count "$1" reason abstained)))
    [ "$answered" -gt 100 ] && [ "$answered" = "$(count "$1" uid set)" ] || fail "$1: $answered of $(count "$1" uid set) flows were answered"
    ok "each of $answered flows of the demo was answered"
}

plain() {
    fresh_root
    offline() { unshare --net --mount --pid --fork --mount-proc="$root/proc" chroot "$root" "$@"; }
    mkdir -p "$root/opt/zeek/share/zeek/site"
    say "plain root: install, without a network"
    listing >"$work/before"
    offline dpkg -i /root/one.deb 2>&1 | tail -2
    [ -z "$(offline dpkg --audit)" ] || fail "dpkg --audit: $(offline dpkg --audit)"
    ok "$(offline eacf --version)"
    for user in eacf-worker eacf-learn eacf-enforce eacf-relay; do offline id "$user" >/dev/null || fail "no user $user"; done
    [ "$(readlink "$root/opt/zeek/share/zeek/site/eacf")" = /usr/share/eacf/zeek ] || fail "Zeek's site folder has no link"
    compiled=$(find "$root/usr/lib/eacf" -name '*.pyc' | wc -l)
    [ "$compiled" -gt 500 ] || fail "libraries are not compiled ($compiled)"
    ok "$compiled files compiled where they lie, $(du -sm "$root/usr/lib/eacf" | cut -f1) MB in /usr/lib/eacf"
    if grep -q __pycache__ "$root/var/lib/dpkg/info/eacf.list"; then fail "compiled files in the package"; fi
    for file in usr/share/man/man1/eacf-worker.1.gz usr/share/bash-completion/completions/eacf usr/share/zsh/vendor-completions/_eacf \
        usr/share/fish/vendor_completions.d/eacf.fish; do
        grep -q "^/$file$" "$root/var/lib/dpkg/info/eacf.list" || fail "no $file"
    done
    offline chroot --userspec=eacf-worker / sh -c 'mkdir /tmp/labels && cd /tmp && eacf replay /usr/share/eacf/demo.pcap.gz --bundle testbed --log-dir /tmp/labels' >/dev/null
    expect_labels "$root/tmp/labels/eacf.log"
    offline sh -c 'cd /tmp && echo "raise SystemExit(9)" > numpy.py && eacf bundle show public' >/dev/null || fail "it imports from the working directory"
    offline sh -c 'eacf worker --config /etc/eacf/worker.toml --bundle nothing.eacf' 2>/dev/null && fail "a mistake in a setting is none" || [ $? = 2 ] || fail "exit code"
    if [ -e "$root/etc/eacf/policy.toml" ]; then offline eacf policy check /etc/eacf/policy.toml >/dev/null && ok "the policy that is shipped is a good one"; fi

    say "plain root: the trainer"
    offline dpkg -i /root/trainer.deb 2>&1 | tail -1
    offline sh -c 'eacf-train --version && eacf-train recipes list 2>/dev/null | head -3; cd /tmp && /usr/lib/eacf/bin/python3 -I -c "import tensorflow, sklearn, pyarrow, matplotlib; print(tensorflow.__version__)"' 2>&1 | grep -v -e oneDNN -e cpu_feature -e "To enable" | tail -5
    ok "TensorFlow is there, $(du -sm "$root/usr/lib/eacf" | cut -f1) MB in /usr/lib/eacf"

    say "plain root: upgrade; a file that an operator has changed stays"
    echo 'metrics_port = 9114' >>"$root/etc/eacf/worker.toml"
    offline dpkg -i /root/two.deb /root/trainer-two.deb 2>&1 | tail -1
    [ "$(offline eacf --version)" = "eacf 9.9.9" ] || fail "the old version runs"
    tail -1 "$root/etc/eacf/worker.toml" | grep -q 'metrics_port = 9114' || fail "worker.toml was replaced"
    stale=$(find "$root/usr/lib/eacf" -name '*.pyc' | sed 's|/__pycache__/\([^/]*\)\.cpython-[0-9]*\(\.opt-[12]\)\?\.pyc$|/\1.py|' | sort -u | while read -r file; do [ -e "$file" ] || echo "$file"; done | wc -l)
    [ "$stale" = 0 ] || fail "$stale compiled files without a source"
    ok "$(offline eacf --version)"

    say "plain root: remove leaves state and configuration, purge nothing"
    install -d "$root/var/lib/eacf/worker-a/models" "$root/var/lib/eacf/keys" "$root/var/log/eacf/worker-a"
    touch "$root/var/lib/eacf/worker-a/models/state.json" "$root/var/lib/eacf/keys/ops.key"
    offline dpkg -r eacf-trainer eacf 2>&1 | tail -1
    [ ! -e "$root/usr/lib/eacf" ] || fail "left in /usr/lib/eacf: $(find "$root/usr/lib/eacf" | head -5)"
    [ ! -L "$root/opt/zeek/share/zeek/site/eacf" ] || fail "the link for Zeek is left"
    [ -e "$root/var/lib/eacf/worker-a/models/state.json" ] && [ -e "$root/etc/eacf/worker.toml" ] || fail "a removal took state"
    offline dpkg -P eacf-trainer eacf 2>&1 | tail -1
    listing >"$work/after"
    left=$(comm -13 "$work/before" "$work/after" | grep -v -e '^./etc/\(passwd\|group\|shadow\|gshadow\)-$' -e '^./etc/.pwd.lock$' || true)
    [ -z "$left" ] || fail "left behind: $left"
    gone=$(comm -23 "$work/before" "$work/after")
    [ -z "$gone" ] || fail "taken away, and not ours: $gone"
    ok "nothing is left but the users"
}

inside() { nsenter -t "$leader" -a -- "$@"; }
property() { inside systemctl show -p "$2" --value "$1"; }
until_true() { # until_true SECONDS COMMAND...
    limit=$1; shift
    for _ in $(seq $((limit * 4))); do "$@" >/dev/null 2>&1 && return 0; sleep 0.25; done
    return 1
}
journal() { inside journalctl --no-pager -o cat -u "$1"; }
serves() { property "eacf-worker@$1" StatusText | grep -q "serves bundle $2"; }

booted() {
    fresh_root
    if [ -x /opt/zeek/bin/zeek ]; then cp -a /opt/zeek "$root/opt/"; fi
    say "booted root: systemd, without a network"
    systemd-nspawn --quiet -D "$root" --boot --private-network --register=no --keep-unit --console=pipe >"$work/boot.log" 2>&1 </dev/null &
    nspawn=$!
    until_true 20 pgrep -P "$nspawn" || fail "no boot: $(tail -3 "$work/boot.log")"
    leader=$(pgrep -P "$nspawn" | head -1)
    until_true 30 inside systemctl is-system-running --quiet || fail "no boot: $(inside systemctl --failed)"
    ok "$(inside systemctl --version | head -1), $(inside systemctl is-system-running)"

    say "booted root: install; nothing runs until it is enabled"
    inside dpkg -i /root/one.deb /root/trainer.deb 2>&1 | tail -1
    for unit in eacf-collect eacf-enforce eacf-relay eacf-watch; do
        [ "$(inside systemctl is-enabled $unit || true)" = disabled ] || fail "$unit is enabled"
        [ "$(property $unit ActiveState)" = inactive ] || fail "$unit runs"
    done
    inside systemctl enable --now eacf-worker@a eacf-worker@b eacf-collect 2>/dev/null
    for unit in eacf-worker@a eacf-worker@b eacf-collect; do [ "$(property $unit ActiveState)" = active ] || fail "$unit: $(journal $unit)"; done
    ok "two workers and the collector are ready without a bus: $(property eacf-worker@a StatusText)"
    inside systemctl enable --now eacf-watch 2>/dev/null
    [ "$(property eacf-watch ActiveState)" = active ] || fail "eacf-watch: $(journal eacf-watch)"
    ok "eacf-watch: $(property eacf-watch StatusText)"
    if inside eacf enforce --help >/dev/null 2>&1; then
        inside systemctl enable --now eacf-enforce 2>/dev/null || fail "eacf-enforce: $(journal eacf-enforce)"
        pid=$(property eacf-enforce MainPID)
        [ "$(inside sed -n 's/^CapEff:\t//p' "/proc/$pid/status")" = 0000000000001000 ] || fail "eacf-enforce has other capabilities"
        ok "eacf-enforce: $(property eacf-enforce StatusText); it has CAP_NET_ADMIN alone"
    fi
    if inside eacf relay --help >/dev/null 2>&1; then
        inside eacf keys new --curve /etc/eacf/relay >/dev/null
        inside sh -c 'chown eacf-relay /etc/eacf/relay.curve && mkdir -p /etc/eacf/clients && echo "RELAY_FLAGS=\"--listen tcp://127.0.0.1:5557\"" >/etc/default/eacf-relay'
        inside systemctl enable --now eacf-relay 2>/dev/null || fail "eacf-relay: $(journal eacf-relay)"
        ok "eacf-relay: $(property eacf-relay StatusText)"
    fi
    for unit in eacf-worker@a eacf-collect eacf-watch; do
        [ "$(inside sed -n 's/^CapEff:\t//p' "/proc/$(property $unit MainPID)/status")" = 0000000000000000 ] || fail "$unit has capabilities"
    done
    exposures=
    sizes=
    for unit in eacf-worker@a eacf-collect eacf-watch eacf-enforce eacf-relay; do
        if [ "$(property $unit ActiveState)" = active ]; then
            sizes="$sizes $unit $(inside awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$(property $unit MainPID)/status")"
        fi
        exposures="$exposures $unit $(inside systemd-analyze security --no-pager $unit | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')"
    done
    ok "exposure:$exposures"
    ok "resident memory, MB:$sizes"

    say "booted root: flows of Zeek, and another model while they come"
    [ -x "$root/opt/zeek/bin/zeek" ] || fail "no Zeek in /opt/zeek: the rest needs one"
    inside ip link add z0 mtu 16000 type veth peer name z1
    inside ip link set z0 mtu 16000 up
    inside ip link set z1 mtu 16000 up
    cat >"$root/root/play.py" <<'PLAY'
import gzip, socket, time, dpkt
with gzip.open("/usr/share/eacf/demo.pcap.gz") as file, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
    out.bind(("z1", 0))
    for number, (_, frame) in enumerate(dpkt.pcap.Reader(file)):
        out.send(frame)
        if number % 5 == 0:
            time.sleep(0.002)
PLAY
    start_zeek() {
        inside rm -rf /root/z
        inside mkdir -p /root/z
        inside systemd-run --quiet --unit=zeek --working-directory=/root/z /opt/zeek/bin/zeek -C -i z0 eacf
        until_true 40 sh -c "nsenter -t $leader -a -- eacf status --timeout 1 --json | grep -q '\"kind\": \"zeek\"'" || fail "zeek: $(inside systemctl status --no-pager zeek)"
    }
    play_and_stop_zeek() {
        inside /usr/lib/eacf/bin/python3 -I /root/play.py
        sleep 3
        inside systemctl stop zeek
        "$1" "$root/root/z/eacf.log"
    }
    public=$(property eacf-worker@a StatusText | sed -n 's/serves bundle \([0-9a-f]*\).*/\1/p')
    start_zeek
    for worker in a b; do
        inside eacf model promote testbed --store "/var/lib/eacf/worker-$worker/models" >/dev/null
    done
    testbed=$(inside eacf model list --store /var/lib/eacf/worker-a/models | sed -n 's/^\([0-9a-f]\{12\}\) .* serves .*/\1/p')
    [ -n "$testbed" ] && [ "$testbed" != "$public" ] || fail "promote: $(inside eacf model list --store /var/lib/eacf/worker-a/models)"
    until_true 40 serves a "$testbed" || fail "worker a: $(property eacf-worker@a StatusText); $(journal eacf-worker@a | tail -5)"
    until_true 40 serves b "$testbed" || fail "worker b: $(property eacf-worker@b StatusText)"
    ok "both serve $testbed instead of $public"
    play_and_stop_zeek expect_labels
    inside systemctl reload eacf-worker@a || fail "reload"

    say "booted root: the agent acts where its policy says so"
    if inside eacf enforce --help >/dev/null 2>&1; then
        inside sed -i 's/^#* *mode = .*/mode = "act"/' /etc/eacf/policy.toml
        inside systemctl reload eacf-enforce
        until_true 20 sh -c "nsenter -t $leader -a -- nft list tables | grep -q 'inet eacf'" || fail "no table: $(property eacf-enforce StatusText) $(journal eacf-enforce | tail -3)"
        inside sh -c "kill -KILL $(property eacf-enforce MainPID)"
        until_true 20 sh -c "[ \"\$(nsenter -t $leader -a -- systemctl show -p NRestarts --value eacf-enforce)\" = 1 ]" || fail "it was not started again"
        until_true 20 sh -c "nsenter -t $leader -a -- nft list tables | grep -q 'inet eacf'" || fail "no table after a restart"
        inside systemctl stop eacf-enforce
        [ -z "$(inside nft list tables)" ] || fail "the table stays: $(inside nft list tables)"
        inside systemctl start eacf-enforce
        ok "the table comes with the policy, after kill -9 again, and goes with the agent"
    fi

    say "booted root: a model learnt here, by eacf-watch within its limits, reaches the workers"
    inside install -d -o eacf-learn -g eacf-learn -m 0700 /var/lib/eacf/keys
    inside setpriv --reuid eacf-learn --regid eacf-learn --clear-groups eacf keys new /var/lib/eacf/keys/ops >/dev/null
    inside install -D -m 0644 /var/lib/eacf/keys/ops.pub /etc/eacf/trusted/ops.pub
    inside sh -c 'echo "trusted_keys = \"/etc/eacf/trusted\"" >>/etc/eacf/worker.toml'
    inside systemctl restart eacf-worker@a eacf-worker@b
    inside systemctl stop eacf-collect eacf-watch
    inside rm -rf /var/lib/eacf/learning/decisions.jsonl /var/lib/eacf/learning/runs
    cat >"$root/etc/eacf/watch.toml" <<'WATCH'
poll_s = 1.0
[triggers]
samples = 100
least = 100
pause_s = 0.0
[gate]
abstained = 1
label_loss = 1
calibration_error = 1
unknown_said = 1
[update]
folds = 0
[delivery]
key = "/var/lib/eacf/keys/ops.key"
WATCH
    echo 'WATCH_FLAGS="--from testbed --quarantine 1"' >"$root/etc/default/eacf-watch"
    inside setpriv --reuid eacf-learn --regid eacf-learn --clear-groups /usr/lib/eacf/bin/python3 -I - /var/lib/eacf/samples/samples.db <"$here/tests/packaging/fill.py"
    start_zeek
    inside systemctl start eacf-watch || fail "eacf-watch: $(journal eacf-watch | tail -5)"
    until_true 240 grep -q '"kind": *"push"' "$root/var/lib/eacf/learning/decisions.jsonl" || fail "no update: $(journal eacf-watch | tail -8)"
    learnt=$(sed -n 's/.*"kind": *"push".*"bundle": *"\([0-9a-f]*\)".*/\1/p; s/.*"bundle": *"\([0-9a-f]*\)".*"kind": *"push".*/\1/p' "$root/var/lib/eacf/learning/decisions.jsonl" | tail -1)
    until_true 40 serves a "$learnt" || fail "worker a does not serve $learnt: $(journal eacf-worker@a | tail -5)"
    until_true 40 serves b "$learnt" || fail "worker b does not serve $learnt"
    inside systemctl stop zeek
    inside systemctl start eacf-collect
    ok "$(journal eacf-watch | grep -m1 'update 1 (')"
    ok "$(journal eacf-watch | grep -m1 'serial')"
    testbed=$learnt

    say "booted root: a worker that hangs is ended and started again, and serves what it served"
    mkdir -p "$root/etc/systemd/system/eacf-worker@a.service.d"
    printf '[Service]\nWatchdogSec=2\n' >"$root/etc/systemd/system/eacf-worker@a.service.d/try.conf"
    inside systemctl daemon-reload
    inside systemctl restart eacf-worker@a
    sleep 5
    [ "$(property eacf-worker@a NRestarts)" = 0 ] || fail "a worker that lives is ended"
    inside sh -c "kill -STOP $(property eacf-worker@a MainPID)"
    until_true 20 sh -c "[ \"\$(nsenter -t $leader -a -- systemctl show -p NRestarts --value eacf-worker@a)\" = 1 ]" || fail "the watchdog slept"
    until_true 30 serves a "$testbed" || fail "after the watchdog: $(property eacf-worker@a StatusText)"
    journal eacf-worker@a | grep "File .*eacf/worker/loop.py" >/dev/null || fail "the journal does not say where it hung"
    ok "the journal says where: $(journal eacf-worker@a | grep -m1 'File .*eacf/worker/loop.py')"
    rm -r "$root/etc/systemd/system/eacf-worker@a.service.d"
    inside systemctl daemon-reload

    say "booted root: upgrade with a model in use"
    before=$(property eacf-worker@a MainPID)
    inside dpkg -i /root/two.deb /root/trainer-two.deb 2>&1 | tail -1
    [ "$before" != "$(property eacf-worker@a MainPID)" ] || fail "the worker was not started anew"
    for worker in a b; do
        [ "$(property eacf-worker@$worker ActiveState)" = active ] || fail "worker $worker: $(journal eacf-worker@$worker | tail -5)"
        until_true 20 serves $worker "$testbed" || fail "worker $worker: $(property eacf-worker@$worker StatusText)"
    done
    for unit in eacf-collect eacf-watch; do [ "$(property $unit ActiveState)" = active ] || fail "$unit does not run"; done
    inside eacf --version | grep -q 9.9.9 || fail "the old version"
    ok "both workers are of the next version and serve $testbed"
    start_zeek
    play_and_stop_zeek expect_answers
    journal 'eacf-worker@*' | grep -c 'INFO ended' >/dev/null || fail "a worker was not ended in order"

    say "booted root: remove stops all and keeps state, purge takes it"
    inside dpkg -r eacf-trainer eacf 2>&1 | tail -1
    running=$(inside systemctl list-units --plain --no-legend --state=active 'eacf*.service')
    [ -z "$running" ] || fail "still runs: $running"
    [ -s "$root/var/lib/eacf/worker-a/models/$testbed.eacf" ] || fail "the removal took the model"
    inside dpkg -i /root/two.deb 2>&1 | tail -1
    inside systemctl start eacf-worker@a
    until_true 30 serves a "$testbed" || fail "installed again: $(property eacf-worker@a StatusText)"
    ok "installed again, it serves $testbed"
    inside dpkg -P eacf-trainer 2>&1 | tail -1
    inside dpkg -P eacf 2>&1 | tail -1
    for place in var/lib/eacf etc/eacf var/log/eacf usr/lib/eacf run/eacf; do [ ! -e "$root/$place" ] || fail "left: $(find "$root/$place" | head -5)"; done
    left=$(find "$root/etc/systemd" "$root/var/lib/systemd" -name '*eacf*')
    [ -z "$left" ] || fail "left: $left"
    ok "nothing is left"
    halt
}

next_version
if [ "$only" = all ] || [ "$only" = plain ]; then plain; fi
if [ "$only" = all ] || [ "$only" = booted ]; then booted; fi
say "all is well"
