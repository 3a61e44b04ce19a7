#!/bin/busybox sh
# The first program of the guest (see run): looks at what lambkin does with cgroup v2, then powers off.
export PATH=/usr/bin:/usr/sbin:/lambkin
passed=0
failed=0

check() { # what, result of a command
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
        echo "ok      $1"
    else
        failed=$((failed + 1))
        echo "FAILED  $1"
    fi
}

is() { # what, found, wanted
    [ "$2" = "$3" ]
    check "$1: $2" $?
    [ "$2" = "$3" ] || echo "        wanted $3"
}

wait_for() { # seconds, command...
    n=$(($1 * 20))
    shift
    while [ $n -gt 0 ]; do
        "$@" > /dev/null 2>&1 && return 0
        usleep 50000
        n=$((n - 1))
    done
    return 1
}

finish() {
    echo "v2: $passed passed, $failed failed"
    sync
    poweroff -f
}

if [ "$1" != second ]; then
    # pivot_root is not possible from the first root file system: move to another one
    mount -t proc proc /proc
    mount -t devtmpfs dev /dev
    exec < /dev/console > /dev/console 2>&1
    mount -t tmpfs -o mode=755 root /real
    for d in usr lambkin etc root var; do cp -a /$d /real/; done
    for l in bin sbin lib lib64; do ln -s usr/$l /real/$l; done
    mkdir -p /real/proc /real/sys /real/dev /real/tmp
    chmod 1777 /real/tmp
    cp -a /init /real/init
    exec switch_root /real /init second
fi

trap finish EXIT
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec < /dev/console > /dev/console 2>&1
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
insmod /lambkin/loop.ko* && wait_for 5 test -e /dev/loop-control
ip link set lo up
echo root:x:0:0:root:/root:/bin/sh > /etc/passwd
echo root:x:0: > /etc/group
mkdir /sys/fs/cgroup/init
echo $$ > /sys/fs/cgroup/init/cgroup.procs
echo "+memory +cpu +pids" > /sys/fs/cgroup/cgroup.subtree_control
is "controllers" "$(cat /sys/fs/cgroup/cgroup.subtree_control)" "cpu memory pids"

for t in /lambkin/unit/*; do
    [ -x "$t" ] || continue
    (cd /lambkin && LK_MUST_RUN=1 timeout 120 $t > /tmp/out 2>&1)
    result=$?
    [ $result = 0 ] || tail -n 40 /tmp/out
    check "${t##*/}" $result
done

lambkin serve --port 4566 --libexec-dir /lambkin --runtimes-dir /lambkin/runtimes --data-dir /var/lib/lambkin --freeze-delay-ms 200 --log-level info > /tmp/log 2>&1 &
daemon=$!
api=http://127.0.0.1:4566/2015-03-31/functions
wait_for 30 wget -q -O /dev/null $api
check "lambkin answers" $?
cat /tmp/log
grep -qi "cgroup.*v2" /tmp/log
check "it says that cgroup v2 is in force" $?

make() {
    wget -q -O /tmp/made --header 'Content-Type: application/json' --post-file /lambkin/$1.json $api || { cat /tmp/made; return 1; }
    wait_for 20 sh -c "wget -q -O - $api/$1/configuration | grep -q '\"LastUpdateStatus\":\"Successful\"'"
}
call() { # function, probe: prints the answer's body
    wget -q -O - --post-data "\"$2\"" $api/$1/invocations
}
group_of() { # the cgroup folder of a function's process
    for p in $(pidof bootstrap); do
        tr '\0' '\n' < /proc/$p/environ | grep -q "^AWS_LAMBDA_FUNCTION_NAME=$1\$" || continue
        sed -n "s#^0::#/sys/fs/cgroup#p" /proc/$p/cgroup | head -n 1
        return
    done
}

make small && make large
check "create" $?
case "$(call small capabilities)" in *closed*) true ;; *) false ;; esac
check "a function runs, without capabilities" $?
call large capabilities > /dev/null

g=$(group_of small)
[ -n "$g" ] && [ -d "$g" ]
check "it has a cgroup of its own: $g" $?
top=$(dirname "$g")
max=$(cat $g/memory.max)
[ "$max" -ge $((256 << 20)) ] && [ "$max" -le $((320 << 20)) ]
check "memory.max $max" $?
is memory.swap.max "$(cat $g/memory.swap.max 2> /dev/null || echo 0)" 0
pids=$(cat $g/pids.max)
[ "$pids" -ge 1024 ] && [ "$pids" -le 1100 ]
check "pids.max $pids" $?
small=$(cat $g/cpu.weight)
large=$(cat $(group_of large)/cpu.weight)
[ "$large" -gt $((small * 3)) ] && [ "$large" -lt $((small * 5)) ]
check "cpu.weight $small for 256 MB, $large for 1024 MB" $?

wait_for 10 grep -q "frozen 1" $g/cgroup.events
check "frozen when idle" $?
case "$(call small no-new-privs)" in *closed*) true ;; *) false ;; esac
check "continues for the next call" $?

case "$(call small processes)" in *closed*) true ;; *) false ;; esac
check "processes are limited" $?
answer=$(call small memory)
echo "        $answer"
case "$answer" in *"signal: killed"*) true ;; *) false ;; esac
check "too much memory: killed" $?
case "$(call small memory-of-many)" in *"signal: killed"* | *closed*) true ;; *) false ;; esac
check "too much memory in many processes: killed" $?
case "$(call small id-map)" in *closed*) true ;; *) false ;; esac
check "the next call works" $?
case "$(call small disk)" in *closed*) true ;; *) false ;; esac
check "/tmp is limited" $?

# every probe of the attack suite, on this kernel and with cgroup v2
holes=0
tried=0
for probe in $(attack-probe list); do
    case $probe in host-* | data-* | other-* | memory | memory-of-many | disk* | inodes | processes | own-program | write-task | write-opt | write-runtime) continue ;; esac
    tried=$((tried + 1))
    case "$(call small $probe)" in
        *\"open*)
            holes=$((holes + 1))
            echo "        $probe: $(call small $probe)"
            ;;
    esac
done
[ $holes = 0 ] && [ $tried -gt 100 ]
check "$tried probes, $holes holes" $?

kill -TERM $daemon
wait_for 20 sh -c "! kill -0 $daemon"
check "it ends" $?
[ -z "$(pidof bootstrap)" ]
check "no process is left" $?
left=$(find /sys/fs/cgroup -name '*lambkin*' -o -name 'slot-*' | head -n 3)
is "cgroups left" "$left" ""
tail -n 5 /tmp/log
