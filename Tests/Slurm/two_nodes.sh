#!/usr/bin/env bash
# A real Slurm with two nodes on this machine, from Debian's packages: an array of shards over a demo grid, with a task that
# runs out of time, a preemption, a node that is killed, and a shard submitted once more beside the others; afterwards every
# image has the digest of a plain run.
#
#   bash Tests/Slurm/two_nodes.sh [path of sdbatch]
#
# As root, on a machine that may be thrown away: it installs slurmctld, slurmd, slurm-client and munge, and needs about ten
# minutes, for Slurm lets a job that is queued again wait for two. Ends with 0 if all went as it should.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Runs of the same images are compared, so none may take them from another folder.
XDG_CACHE_HOME=$(mktemp -d)
export XDG_CACHE_HOME
mkdir -p "$XDG_CACHE_HOME/sdbatch/images.tsv"
sdbatch=$(realpath "${1:-.build/release/sdbatch}")

box=$(mktemp -d)
mkdir "$box/state" "$box/spool1" "$box/spool2" "$box/work"
step() { printf '\n== %s  %s\n' "$(date +%T)" "$*"; }
fail() { echo "FAILED: $*"; squeue -a || true; tail -n 50 "$box"/*.log; exit 1; }

step "install"
if ! command -v slurmctld >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurmctld slurmd slurm-client munge >/dev/null
fi

step "start"
host=$(hostname -s)
export SLURM_CONF=$box/slurm.conf
cat >"$SLURM_CONF" <<CONF
ClusterName=box
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$box/munge.sock
CredType=cred/munge
StateSaveLocation=$box/state
SlurmctldPort=16817
SlurmctldPidFile=$box/slurmctld.pid
SlurmdPidFile=$box/slurmd.%n.pid
SlurmdSpoolDir=$box/spool.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
ReturnToService=2
JobRequeue=1
KillWait=10
SlurmdTimeout=15
MailProg=/bin/true
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[16821-16822] CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=low Nodes=n[1-2] Default=YES PriorityTier=1 GraceTime=8 PreemptMode=REQUEUE
PartitionName=high Nodes=n[1-2] PriorityTier=10 PreemptMode=OFF
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
CONF
dd if=/dev/urandom of="$box/munge.key" bs=1024 count=1 status=none
chmod 400 "$box/munge.key"
chmod 755 "$box"
munged --force --key-file="$box/munge.key" --socket="$box/munge.sock" --pid-file="$box/munged.pid" \
  --log-file="$box/munged.log" --seed-file="$box/munged.seed"
slurmctld -f "$SLURM_CONF" -L "$box/slurmctld.log"
node() { slurmd -f "$SLURM_CONF" -N "$1" -L "$box/$1.log"; }
stop_all() {
  scancel -u root 2>/dev/null || true
  sleep 1
  pkill -KILL -f "slurmd -f $SLURM_CONF" || true
  pkill -KILL -f "slurmctld -f $SLURM_CONF" || true
  pkill -KILL -f slurmstepd || true
  pkill -KILL -f "$box" || true
  rm -rf "$box"
}
trap stop_all EXIT
node n1
node n2
for _ in $(seq 60); do [ "$(sinfo -h -o %T | sort -u)" = idle ] && break; sleep 1; done
sinfo

step "a plain run, to compare with"
cd "$box/work"
cat >grid.yaml <<'RECIPE'
prompt: a red fish on a white background
steps: 400
sampler_name: Euler a
grid:
  seed: 1, 2, ..., 4
  cfg_scale: [4, 7]
output: grid
RECIPE
SDBATCH_ISA=avx2 "$sdbatch" grid.yaml --output plain --threads 2 --no-sheet --summary

step "submit four shards"
# Two minutes' limit, told of 80 s before (Slurm may be early by a minute): shards stop inside images and are queued again.
"$sdbatch" slurm grid.yaml --shards 4 --cpus 2 --time 2 --notice 80 --isa avx2 --partition low --submit | tee submitted
array=$(sed -n 's/shards: job //p' submitted)
collector=$(sed -n 's/collector: job \([0-9]*\).*/\1/p' submitted)
await() { # seconds, words, command...
  local limit=$1 what=$2
  shift 2
  for _ in $(seq "$limit"); do "$@" && return; sleep 1; done
  fail "$what"
}
begun() { [ "$(squeue -h -j "$array" -t R -o %i | wc -l)" -ge "$1" ]; }
await 60 "two shards run" begun 2
await 60 "checkpoints or images come" sh -c "ls grid/checkpoints grid/images 2>/dev/null | grep -q ."

step "a job of a higher partition takes a node: the shard there is put back"
sbatch --parsable --partition=high --ntasks=1 --cpus-per-task=2 --time=1 --output=high.log --wrap 'sleep 20' >high
await 90 "preemption" grep -qE "Preempted|preempt" "$box/slurmctld.log"
squeue -a

step "a node dies with the shard that runs on it"
await 200 "a shard runs" begun 1
read -r dead job < <(squeue -h -j "$array" -t R -o '%N %A' | head -n 1)
await 60 "the shard there has a process" pgrep -f "slurmstepd: \[$job\."
# First the daemon, so that it sees nothing of the rest; then who looks after the shard; then the shard and its shell.
pkill -KILL -f "slurmd -f $SLURM_CONF -N $dead" || true
pkill -KILL -f "slurmstepd: \[$job\." || true
for pid in $(pgrep -f 'slurm_script|sdbatch run' || true); do
  if grep -qzx "SLURM_JOB_ID=$job" "/proc/$pid/environ" 2>/dev/null; then kill -KILL "$pid" || true; fi
done
await 120 "the node is seen to be down" sh -c "sinfo -h -n $dead -o %T | grep -q down"
sinfo -N
node "$dead"

step "one shard by hand, beside the others"
SDBATCH_ISA=avx2 timeout -s TERM 20 "$sdbatch" grid.yaml --output grid --shard 3/4 --threads 1 --summary || echo "ended with $?"

step "a task is cancelled, and submitted once more"
await 300 "a shard runs" begun 1
task=$(squeue -h -j "$array" -t R -o %i | head -n 1)
scancel "$task"
await 60 "the task ends" sh -c "! squeue -h -a -o '%i %T' | grep -q '^$task RUNNING'"
sleep 5
squeue -h -a -o %i | grep -qx "$task" && fail "a cancelled task came back"
# The first of the two scripts, for that task alone.
"$sdbatch" slurm grid.yaml --shards 4 --cpus 2 --time 2 --notice 80 --isa avx2 --partition low |
  sed -n '/SDBATCH_SHARDS.$/,/^SDBATCH_SHARDS$/p' | sed '1d;$d' >shards.sh
again=$(sbatch --parsable --array="${task#*_}" shards.sh)
scontrol update JobId="$collector" Dependency="afterany:$array,afterany:$again"

step "until the collector is done"
gone() { ! squeue -h -a -j "$collector" 2>/dev/null | grep -q .; }
for _ in $(seq 100); do
  gone && break
  squeue -a -o '%.10i %.9P %.20j %.3t %.8M %.20R' || true
  "$sdbatch" status grid | head -3 || true
  sleep 15
done
gone || fail "the collector did not end"

step "the result"
cat grid/slurm/*.log
"$sdbatch" status grid
"$sdbatch" verify grid || fail "verify"
diff <(cd plain/images && sha256sum -- *.png) <(cd grid/images && sha256sum -- *.png) || fail "other digests than the plain run"
grep -q "Stopped (SIGUSR1)" grid/slurm/*.log || fail "no shard was warned of its limit"
grep -cE 'requeue' "$box/slurmctld.log" | sed 's/^/lines of the controller about requeues: /'
[ "$(find grid -name 'journal-*.jsonl' | wc -l)" -gt 4 ] || fail "no shard was started twice"
test -s grid/manifest.json && test -s grid/contact-sheet.png || fail "the collector wrote no manifest or sheet"
echo
echo "all $(ls grid/images | wc -l) images have the digests of a plain run"
