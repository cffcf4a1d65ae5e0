#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gmem-measure against the vectors of both platforms, and with bad files. Usage:
# test.sh PROGRAM. With OVMF_TDX=<OVMF.fd of Ubuntu's ovmf 2025.02-3ubuntu2> also
# the published MRTD of that firmware. Prints TAP; fails if a line is "not ok".
set -u
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
number=0
failed=0
left_out=0

report() { # ok|not-ok name detail
	number=$((number + 1))
	if [ "$1" = ok ]; then
		echo "ok $number - $2"
	else
		failed=$((failed + 1))
		echo "not ok $number - $2"
		printf '# %s\n' "$3"
	fi
}

# gives NAME DIGEST: the file NAME.json measures to DIGEST
gives() {
	if said=$("$program" "$1.json" 2>&1) && [ "$said" = "$2" ]; then
		report ok "$1"
	else
		report not-ok "$1" "$said"
	fi
}

# refuses NAME LINE TEXT: a bad file, blamed on that line with these words
refuses() {
	cat >bad.json
	said=$("$program" bad.json 2>&1)
	status=$?
	case "$status $said" in
	"2 bad.json: line $2: "*"$3"*) report ok "$1" ;;
	*) report not-ok "$1" "exit $status: $said" ;;
	esac
}

python3 - <<'PY' || exit 1
import json, struct
I = bytes(i & 0xff for i in range(4096))
W = b''.join(struct.pack('<Q', 0x0123456789abcdef ^ i) for i in range(512))
open('pages.bin', 'wb').write(I + W)
PI, PW, VMSA = 'pages.bin:0', 'pages.bin:0x1000', 0xfffffffff000
FW = '161ace084859674ded7322ad102eb33f49457e0f7845a8f9ad0e03a59eac3e3e360f8b78345363feaeac956ebba2d894'
SAVE = '77920c4c629ff47e90c0e174fc1ad0eb6fa664f88cd4739488058a8c6cb1a77b3856f55378e9518d0da99452d51c553a'
HASHES = 'adbef9bc7385f7a6dcb8774523cf024b403f193a47962309b277c4109aa70b4ba0355d1657b50e9625d5bd1129e7fd27'

def write(name, kind, steps):
    json.dump({'kind': kind, 'steps': steps}, open(name + '.json', 'w'), indent=1)
def step(type, gpa, page=None, contents=None):
    s = {'type': type, 'gpa': hex(gpa)}
    if page: s['page'] = page
    if contents: s['contents'] = contents
    return s
def each(type, first, last):
    return [step(type, g) for g in range(first, last + 1, 4096)]
def ovmf(hashes):
    return [step(1, 0xfffff000, contents=FW), *each(3, 0x800000, 0x808000), *each(3, 0x80a000, 0x80c000),
        step(5, 0x80d000), step(6, 0x80e000), step(3, 0x80f000), hashes, *each(3, 0x811000, 0x81f000),
        step(2, VMSA, contents=SAVE)]
def add(gpa, page): return {'op': 'add', 'gpa': hex(gpa), 'page': page}
def extend(gpa): return [{'op': 'extend', 'gpa': hex(g)} for g in range(gpa, gpa + 4096, 256)]
END = [{'op': 'finalize'}]

write('P1', 'snp', [step(1, 0xfffff000, contents=FW)])
write('P2', 'snp', ovmf(step(3, 0x810000)))
write('P3', 'snp', ovmf(step(1, 0x810000, contents=HASHES)))
write('S1', 'snp', [step(1, 0, 'zero')])
write('S1-hex', 'snp', [step(1, 0, '00' * 4096)])
write('S2', 'snp', [step(3, 0, 'zero')])
write('S3', 'snp', [step(4, 0x1000, PI)])
write('S4', 'snp', [step(5, 0x80d000)])
write('S5', 'snp', [step(6, 0x80e000)])
write('S6', 'snp', [step(2, VMSA, 'ones')])
write('S7', 'snp', [step(1, 0xfffff000, PI), step(1, 0xffffe000, PW), step(3, 0x800000), step(3, 0x801000),
    step(4, 0x802000), step(5, 0x80d000), step(6, 0x80e000), step(2, VMSA, PI), step(2, VMSA, PI)])
write('T1', 'tdx', END)
write('T2', 'tdx', [add(0, 'zero')] + END)
write('T3', 'tdx', [add(0xfffff000, PI), *extend(0xfffff000)] + END)
write('T3-hex', 'tdx', [add(0xfffff000, I.hex()), *extend(0xfffff000)] + END)
write('T4', 'tdx', [add(0, 'zero'), *extend(0)] + END)
write('T5', 'tdx', [add(0xffc84000, PW), *extend(0xffc84000), add(0xffc85000, PI), *extend(0xffc85000)] + END)
write('T6', 'tdx', [add(0xffc84000, PW), add(0xffc85000, PI), *extend(0xffc84000), *extend(0xffc85000)] + END)

published = []
for gpa, size, data in ((0xffc84000, 0x37c000, 0x84000), (0xffc00000, 0x84000, None), (0x811000, 0xf000, None),
        (0x80b000, 0x2000, None), (0x809000, 0x2000, None), (0x800000, 0x6000, None)):
    for at in range(0, size, 4096):
        published.append(add(gpa + at, 'zero' if data is None else 'OVMF.fd:%d' % (data + at)))
        if data is not None: published += extend(gpa + at)
write('published-MRTD', 'tdx', published + END)
PY

gives P1 086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74
gives P2 19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d
gives P3 6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa
gives S1 9d13634b6014bb21cf059b2dc694e7bff01a8a7137041100cd2b695f3d10fb687267b97808b27f8f471d943bc6f53a20
gives S1-hex 9d13634b6014bb21cf059b2dc694e7bff01a8a7137041100cd2b695f3d10fb687267b97808b27f8f471d943bc6f53a20
gives S2 70c0ecaab9608f14ebf8ac6f0f07bcd8728f4e2ab30382b539b4de4de904ca9f8ebdf4b2cd3cd84dd996bd55dd794676
gives S3 81475a112c0223cebe1ccb31a0aa2567772871200b33515a3cbbd5ed6a68a8e630902dd83469ea6553554bfb67111fad
gives S4 e82e99caf82a32c31ec5070eef9e2135866d8f7de60d756814f3bd8c989c1e826622e0a97dad026c6d9d81818780e6a2
gives S5 c9e46442d2b4ddb823fa6b4a907930de7e93901180c5a3126ba234193059a0a51a21ba82f05d2fe0f3136f22b1b1a8e4
gives S6 dd2e0ab1141ce37cf3b70c1990ca7964254cf7a44876c74df767b6f1dc34e5aa88b1746cb934c3baaa30c7b50ba708f1
gives S7 2997fe4a314563e1d7764ec8915852839a0f4fa602ba0cbc5b6d62e86458d8867495f2075d3df5aca5c3cbebb3a1ceb7
gives T1 38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b
gives T2 8f3e9a8aca6784eab874f7aa4dda5d49104a88047f1f86695ef2a88f5691a90e34aac48ce45ffa1f5a23c7d62980d570
gives T3 cd9d793217c8e5918ad18eca449ba10dcfc5faafc19ceeae46b925d054f3b68f85127312438aeba5bc187d9dc73a20fa
gives T3-hex cd9d793217c8e5918ad18eca449ba10dcfc5faafc19ceeae46b925d054f3b68f85127312438aeba5bc187d9dc73a20fa
gives T4 236f0efa607ff8843f1855d7ef80dc3dda8fb455787a186b8787212951eab0096e3193bb26f817c2b63c21f5e10f9938
gives T5 b286f4a5a77d7e836d736eca84b277922079bfed0f2f730e62639921e6bb1541de1b721e5d328272ff4c23bef58dafc0
gives T6 a766b0b70b2e04cdf4b6c3d9bd71e8f25f5d6f4b8197cc52ca664e3073535160142f723057b625a20d74dbffae3b68fc

if [ -n "${OVMF_TDX:-}" ]; then
	ln -s "$(realpath "$OVMF_TDX")" OVMF.fd
	sum=$(sha256sum OVMF.fd | cut -d' ' -f1)
	if [ "$sum" = 9e807cb2cd4313406a3aa4becc0836671a5c64ca7bdc08a45e15260184b446bf ]; then
		gives published-MRTD 7357a10d2e2724dffe68813e3cc4cfcde6814d749f2fb62e3953e54f6e0b50a219786afe2cd478f684b52c61837e1114
	else
		report not-ok published-MRTD "$OVMF_TDX is another firmware: $sum"
	fi
else
	number=$((number + 1))
	left_out=1
	echo "ok $number - published-MRTD # SKIP OVMF_TDX names no firmware"
fi

refuses not-json 2 "not JSON" <<'J'
{"kind": "snp",
 "steps": [}
J
refuses empty 1 "not JSON" </dev/null
refuses no-object 1 "the document is not an object" <<'J'
[]
J
refuses no-kind 1 '"kind" is missing' <<'J'
{"steps": []}
J
refuses other-kind 2 '"kind"' <<'J'
{"steps": [],
 "kind": "sev"}
J
refuses no-steps 1 '"steps" is missing' <<'J'
{"kind": "snp"}
J
refuses steps-no-array 2 '"steps"' <<'J'
{"kind": "snp",
 "steps": 3}
J
refuses step-no-object 2 'a step is not an object' <<'J'
{"kind": "snp", "steps": [
 7]}
J
refuses stray-field 3 '"gap"' <<'J'
{"kind": "snp", "steps": [
 {"type": 3,
  "gap": "0x0", "gpa": "0x0"}]}
J
refuses field-twice 2 '"type" twice' <<'J'
{"kind": "snp", "steps": [
 {"type": 3, "type": 1, "gpa": "0x0"}]}
J
refuses type-unknown 3 '"type"' <<'J'
{"kind": "snp", "steps": [
 {"type": 3, "gpa": "0x0"},
 {"type": 7,
  "gpa": "0x0"}]}
J
refuses type-negative 2 '"type"' <<'J'
{"kind": "snp", "steps": [
 {"type": -1, "gpa": "0x0"}]}
J
refuses gpa-unaligned 2 '"gpa"' <<'J'
{"kind": "snp", "steps": [
 {"type": 3, "gpa": "0x123"}]}
J
refuses gpa-no-number 2 '"gpa"' <<'J'
{"kind": "snp", "steps": [
 {"type": 3, "gpa": "0xfgh"}]}
J
refuses gpa-no-string 2 '"gpa" is not a string' <<'J'
{"kind": "snp", "steps": [
 {"type": 3, "gpa": 4096}]}
J
refuses gpa-too-large 2 '"gpa"' <<'J'
{"kind": "snp", "steps": [
 {"type": 3, "gpa": "0x10000000000000"}]}
J
refuses page-missing 2 '"page" is missing' <<'J'
{"kind": "snp", "steps": [
 {"type": 1, "gpa": "0x0"}]}
J
refuses page-short 2 '"page"' <<'J'
{"kind": "snp", "steps": [
 {"type": 1, "gpa": "0x0", "page": "00"}]}
J
refuses page-no-file 2 'cannot be opened' <<'J'
{"kind": "snp", "steps": [
 {"type": 1, "gpa": "0x0", "page": "nowhere.bin:0"}]}
J
refuses page-past-file 3 'has no whole page' <<'J'
{"kind": "snp", "steps": [
 {"type": 1, "gpa": "0x0",
  "page": "pages.bin:0x1001"}]}
J
refuses page-and-contents 2 '"contents"' <<'J'
{"kind": "snp", "steps": [
 {"type": 1, "gpa": "0x0", "page": "zero", "contents": "00"}]}
J
refuses contents-short 2 '"contents"' <<'J'
{"kind": "snp", "steps": [
 {"type": 1, "gpa": "0x0", "contents": "00"}]}
J
refuses op-unknown 2 '"op"' <<'J'
{"kind": "tdx", "steps": [
 {"op": "aug"}]}
J
refuses extend-before-add 2 'no page was added' <<'J'
{"kind": "tdx", "steps": [
 {"op": "extend", "gpa": "0x100"}]}
J
refuses extend-unaligned 3 '"gpa"' <<'J'
{"kind": "tdx", "steps": [
 {"op": "add", "gpa": "0x0", "page": "zero"},
 {"op": "extend", "gpa": "0x80"}]}
J
refuses add-twice 3 'was added there before' <<'J'
{"kind": "tdx", "steps": [
 {"op": "add", "gpa": "0x0", "page": "zero"},
 {"op": "add", "gpa": "0x0", "page": "zero"}]}
J
refuses after-finalize 3 'after finalize' <<'J'
{"kind": "tdx", "steps": [
 {"op": "finalize"},
 {"op": "add", "gpa": "0x0", "page": "zero"}]}
J

# ends_with STATUS NAME ARGUMENT...
ends_with() {
	expected=$1 name=$2
	shift 2
	"$program" "$@" >/dev/null 2>&1
	status=$?
	if [ $status = "$expected" ]; then
		report ok "$name"
	else
		report not-ok "$name" "status $status"
	fi
}

ends_with 2 no-such-file nowhere.json
ends_with 2 no-argument

echo "1..$number"
echo "$((number - failed - left_out)) passed, $failed failed"
[ "$failed" = 0 ]
