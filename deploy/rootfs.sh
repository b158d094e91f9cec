#!/usr/bin/env bash
# Gathers the files that the program needs to run, and nothing else, into a folder: the root of a container image.
#
#   deploy/rootfs.sh PROGRAM FOLDER
set -euo pipefail

program=$1
root=$2

mkdir -p "$root"/{data,etc/ssl/certs,tmp}
install -m 0755 "$program" "$root/parlour"

# The libraries that it is linked with, and those by which the C library looks up names.
libraries=$(ldd "$program" | grep -oE '/[^ )]+')
folder=$(dirname "$(grep -m 1 '/libc\.so' <<< "$libraries")")
for library in $libraries "$folder"/lib{nss_dns,nss_files,resolv}.so.2; do
  if [ ! -e "$library" ]; then continue; fi
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

# Certificates of the public authorities, for TLS to the database, the bus and webhooks.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
echo 'parlour:x:65532:65532::/data:/' > "$root/etc/passwd"
echo 'parlour:x:65532:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
chown 65532:65532 "$root/data"
