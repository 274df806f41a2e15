# SPDX-License-Identifier: Apache-2.0
#
# build --sbom, --provenance, --attest

load common

setup_file() { private_store; }

packages() {
	mkdir -p "$ctx/dpkg/info" "$ctx/apk"
	printf '%s\n' 'Package: libc6' 'Status: install ok installed' 'Architecture: amd64' \
		'Version: 2.36-9+deb12u4' 'Maintainer: GNU Libc Maintainers <x@example.org>' \
		'Description: text' ' Package: not-one' '' \
		'Package: gone' 'Status: deinstall ok config-files' 'Version: 1' '' \
		'Package: broken' '' 'Package: adduser' 'Status: install ok installed' 'Version: 3.1' >"$ctx/dpkg/status"
	printf '%s\n' 'P:musl' 'V:1.2.4-r2' 'A:x86_64' 'L:MIT' 'F:lib' 'R:ld-musl.so.1' '' 'P:nover' '' >"$ctx/apk/installed"
	printf 'ID=debian\nVERSION_ID="12"\n' >"$ctx/os-release"
	dockerfile <<-'E'
		FROM busybox
		COPY dpkg /var/lib/dpkg
		COPY apk /lib/apk/db
		COPY os-release /etc/os-release
	E
}

# The statement of the predicate type $1 in the OCI archive o.tar.
statement() {
	local o=$BATS_TEST_TMPDIR/o top attested
	rm -rf "$o" && mkdir "$o" && tar -C "$o" -xf "$BATS_TEST_TMPDIR/o.tar"
	top=$o/blobs/sha256/$(jq -r '.manifests[0].digest' "$o/index.json" | cut -d: -f2)
	attested=$(jq -r '.manifests[] | select(.annotations["vnd.docker.reference.type"] == "attestation-manifest") | .digest' "$top" | cut -d: -f2)
	is "$(jq -r '.manifests[1].annotations["vnd.docker.reference.digest"]' "$top")" "$(jq -r '.manifests[0].digest' "$top")"
	cat "$o/blobs/sha256/$(jq -r --arg t "$1" '.layers[] | select(.annotations["in-toto.io/predicate-type"] == $t) | .digest' "$o/blobs/sha256/$attested" | cut -d: -f2)"
}

@test "--sbom: packages of dpkg and apk as SPDX, beside the image" {
	packages
	stave build -q --sbom=true -t t:1 -o "type=oci,dest=$BATS_TEST_TMPDIR/o.tar" "$ctx" >/dev/null
	sbom=$(statement https://spdx.dev/Document)
	is "$(jq -r '._type + " " + .subject[0].name' <<<"$sbom")" \
		"https://in-toto.io/Statement/v0.1 pkg:docker/t@1?platform=linux%2F$(jq -r .architecture <<<"$(stave inspect --format '{"architecture":"{{.Architecture}}"}' busybox)")"
	is "$(jq -r '.predicate.spdxVersion' <<<"$sbom")" SPDX-2.3
	is "$(jq -r '.predicate.packages[] | "\(.name) \(.versionInfo) \(.externalRefs[0].referenceLocator) \(.licenseDeclared)"' <<<"$sbom")" \
		"adduser 3.1 pkg:deb/debian/adduser@3.1?distro=debian-12 NOASSERTION
libc6 2.36-9+deb12u4 pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12 NOASSERTION
musl 1.2.4-r2 pkg:apk/debian/musl@1.2.4-r2?arch=x86_64&distro=debian-12 MIT"
	# the same build says the same
	cp "$BATS_TEST_TMPDIR/o.tar" "$BATS_TEST_TMPDIR/first.tar"
	stave build -q --sbom=true -t t:1 -o "type=oci,dest=$BATS_TEST_TMPDIR/o.tar" "$ctx" >/dev/null
	cmp "$BATS_TEST_TMPDIR/o.tar" "$BATS_TEST_TMPDIR/first.tar"
	# and the archive can be read
	stave load -q -i "$BATS_TEST_TMPDIR/o.tar" >/dev/null
}

@test "--provenance: what went in; mode=max has the steps" {
	packages
	printf 's3cr3t-value' >"$ctx/../s"
	printf 'ARG A\nRUN --mount=type=secret,id=s cat /run/secrets/s >/dev/null\n' >>"$ctx/Dockerfile"
	stave build -q --provenance=true --secret "id=s,src=$ctx/../s" --build-arg A=h1dden -o "type=oci,dest=$BATS_TEST_TMPDIR/o.tar" "$ctx" >/dev/null
	p=$(statement https://slsa.dev/provenance/v0.2)
	is "$(jq -r '.subject[0].name' <<<"$p")" _
	is "$(jq -r '.predicate.materials[0].uri' <<<"$p" | cut -d'?' -f1)" pkg:docker/busybox@latest
	is "sha256:$(jq -r '.predicate.materials[0].digest.sha256' <<<"$p")" "$(stave inspect --format '{{.Id}}' busybox)"
	is "$(jq -r '.predicate.buildConfig' <<<"$p")" null
	is "$(jq -r '.predicate.invocation.configSource.entryPoint' <<<"$p")" Dockerfile
	stave build -q --attest type=provenance,mode=max --secret "id=s,src=$ctx/../s" --build-arg A=h1dden -o "type=oci,dest=$BATS_TEST_TMPDIR/o.tar" "$ctx" >/dev/null
	p=$(statement https://slsa.dev/provenance/v0.2)
	is "$(jq -r '.predicate.buildConfig.steps | length' <<<"$p")" 5
	hasnt "$p" s3cr3t-value
	hasnt "$p" h1dden
}

@test "files get the statements beside them" {
	packages
	stave build -q --sbom=true --provenance true -o "$BATS_TEST_TMPDIR/out" "$ctx" >/dev/null
	is "$(jq -r '.predicate.packages | length' "$BATS_TEST_TMPDIR/out/sbom.spdx.json")" 3
	is "$(jq -r '.subject[] | select(.name == "etc/os-release") | .digest.sha256' "$BATS_TEST_TMPDIR/out/provenance.json")" \
		"$(sha256sum <"$ctx/os-release" | cut -d' ' -f1)"
}

@test "none unless asked; where nothing can hold them it is said before the build" {
	packages
	stave build -q -o "type=oci,dest=$BATS_TEST_TMPDIR/o.tar" --provenance=false --sbom=false "$ctx" >/dev/null
	is "$(tar -xOf "$BATS_TEST_TMPDIR/o.tar" index.json | jq -r '.manifests[0].mediaType')" application/vnd.oci.image.manifest.v1+json
	run stave build --no-cache --sbom true -t t "$ctx"
	ended 1
	has "$output" "no output of this build can hold attestations"
	hasnt "$output" "COPY dpkg"
	run stave build --attest mode=max "$ctx"
	has "$output" "attestation type not specified"
	run stave build --provenance=mode=all "$ctx"
	has "$output" "mode is min or max"
}
