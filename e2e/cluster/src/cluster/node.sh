# The first process of a node. $1: the state directory, $2: the directory of programs.
set -eu
node=$1/node
# What kubelet mounts has to reach the containers; nothing leaves these namespaces.
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs "$node/run"
mkdir "$node/run/pids" "$node/run/programs" "$node/run/tributary"
# Before anything is hidden, for both may lie below what will be.
mount --bind "$1" "$node/run/tributary"
mount --bind "$2" "$node/run/programs"
mount --bind "$node/var-lib" /var/lib
mount --bind "$node/var-log" /var/log
mount --rbind "$node/run" /run
hostname node1
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
touch /run/tributary/node/up
# Orphans become children of this shell, which buries them while it waits.
sleep infinity &
while :; do wait || true; done
