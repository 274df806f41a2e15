# SPDX-License-Identifier: Apache-2.0
"""Dockerfiles that both builders get, over one build context that has it all.

A case is (name, files, options): `files` lies over the common context and
has the Dockerfile.  `name` begins with "bad" where both have to refuse.
"""

import os
import subprocess
import time


def write(directory, name, text="x\n", mode=0o644):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def common_context(directory):
    """Modes, links, odd names, archives; the times are all the same and long ago."""
    for name, text, mode in (
            ("a", "one\n", 0o644), ("b", "two\n", 0o755), ("d/f", "three\n", 0o644),
            ("d/sub/g", "four\n", 0o600), ("e/sub/h", "five\n", 0o644), ("with space", "sp\n", 0o644),
            ("x.txt", "1", 0o644), ("y.txt", "2", 0o644), ("suid", "s", 0o4755),
            ("[odd]", "odd\n", 0o644), ("p/q/one", "1\n", 0o640), ("p/q/r/two", "2\n", 0o644),
            ("p/s/three.md", "3\n", 0o644)):
        write(directory, name, text, mode)
    for target, name in (("a", "link"), ("d", "dlink"), ("nope", "d/dangle"), ("f", "d/lf")):
        os.symlink(target, os.path.join(directory, name))
    os.chmod(directory + "/d", 0o711)
    os.chmod(directory + "/d/sub", 0o2750)
    os.link(directory + "/d/f", directory + "/d/hard")
    os.mkfifo(directory + "/d/fifo")
    subprocess.run(
        "mkdir -p t/usr/lib t/newdir && echo T > t/usr/lib/tool && echo N > t/newdir/n && "
        "chmod 700 t/newdir && tar -C t -cf ar.tar . && tar -C t -czf ar.tgz usr && "
        "cp ar.tgz renamed.bin && gzip -nk a && rm -r t", shell=True, cwd=directory, check=True)


def age(directory, seconds=1_000_000_000):
    """The same times for both, and before the build."""
    for parent, directories, files in os.walk(directory):
        for name in directories + files:
            os.utime(os.path.join(parent, name), (seconds, seconds), follow_symlinks=False)


DOCKERFILES = {
    "copy-file": "COPY a /x\nCOPY a b /y/\nCOPY d /dd\nCOPY d /dd2/\nCOPY . /all/\n",
    "copy-relative": 'WORKDIR /w\nCOPY a .\nCOPY b ./sub/\nCOPY d ../up\nCOPY ["with space","/sp ace/"]\n',
    "copy-links": "COPY link /l1\nCOPY dlink /l2\nCOPY *link /l3/\nCOPY *.txt /t/\n"
                  "RUN ln -s /y /x && ln -s /dirr /dl && mkdir /dirr && echo old > /y\n"
                  "COPY a /x\nCOPY b /dl\nCOPY d /dl/\n",
    "copy-owner": "COPY --chown=app a /1\nCOPY --chown=app:root d /2/\nCOPY --chown=7 a /3\n"
                  "COPY --chown=1:2 a /p/q/r/\nCOPY --chmod=600 a /5\nCOPY --chmod=4711 d /6\n",
    "copy-owner-names": "".join("COPY --chown=%s a /%d\n" % (who, n) for n, who in enumerate(
        ("1000", "1000:unknown", "app:unknown", "7:unknown", "0:unknown", "nobody", ":staff", ":7",
         "nobody:", "1000:", ":", "65534", "app:nogroup"))),
    "copy-mode-parents": "COPY --chmod=770 a /p1/a\nCOPY --chmod=777 a /p1/sub/a\n"
                         "COPY --chmod=4750 --chown=5:6 a /p3/sub/a\nCOPY --chmod=u+x a /p4/sub/a\n"
                         "COPY --chmod=700 d /p5/sub/d/\nCOPY --chmod=777 d /p6\nCOPY --chmod=666 a b /p7/x/\n",
    "run-environment": "ARG A\nARG B=\nENV C= D=4\nARG D=5\nRUN env | sort >/e\nUSER app\nRUN env | sort >/tmp/e\n",
    "copy-empty-source": "COPY $empty /x\nCOPY a $empty /z/\n",
    "copy-odd-name": "COPY [[]odd] /o\nCOPY ?.txt /t/\nCOPY [xy].txt /u/\n",
    "copy-link-option": "RUN mkdir -p /real && ln -s real /via\nCOPY --link a /one/two\nCOPY --link d /three/\n",
    "copy-heredoc": 'COPY <<f1 <<"f2" /docs/\nhome is $PATH\nf1\nraw $PATH\nf2\nCOPY <<-x /y\n\ttabbed\nx\n'
                    "COPY --chmod=755 --chown=app <<s /bin/s\n#!/bin/sh\necho hi\ns\n",
    "copy-merge": "COPY d/ e/ /m/\nCOPY d/sub/g e/sub/h /one/two/\n",
    "add-archives": "ADD ar.tar /t1\nADD ar.tgz /t2/\nADD renamed.bin /t3/\nADD a.gz /t4/\nADD a d /t5/\n"
                    "RUN mkdir -p /lib2 && ln -s lib2 /usr/lib\n",
    "add-heredoc": "ADD <<x /f\nhello\nx\n",
    "metadata": 'MAINTAINER me\nENV A=1 B="x y"\nENV OLD style value\nLABEL a=b "c d"=\'e f\'\n'
                'EXPOSE 80 90-92/udp $A\nVOLUME /v1 /v2\nVOLUME ["/v3"]\nUSER app\nWORKDIR /w/x\n'
                'STOPSIGNAL 9\nSHELL ["/bin/ash","-c"]\n'
                "HEALTHCHECK --interval=3s --timeout=1s --start-period=2s --start-interval=4s --retries=4 CMD true\n"
                'ONBUILD RUN id\nENTRYPOINT echo ent\nCMD ["a","b"]\nRUN true\n',
    "healthcheck-none": "HEALTHCHECK NONE\n",
    "healthcheck-exec": 'HEALTHCHECK --timeout=1m30s CMD ["/bin/true", "x y"]\n',
    "arguments": "ARG G=glob\nARG L=loc\nARG TARGETARCH\nARG TARGETPLATFORM\nENV E=$G-$L-$TARGETARCH-$TARGETPLATFORM\n"
                 "RUN echo $L > /l; echo $G > /g\nARG L=two\n"
                 "LABEL x=${L:-d} y=${NOPE:-dd} z=${L:+alt} w=${L%o} v=${L#t} u=${L/w/W} t=${L//[tw]/_} s=${NOPE-e}\n",
    "expansion": 'ENV p=/a/b/c.tar.gz e=""\nENV a=${p#*/} b=${p##*/} c=${p%.*} d=${p%%.*} f=${p/a/x} g=${p//a/x}\n'
                 "ENV h=${e:-x} i=${e-x} j=${e:+x} k=${e+x} l=\\$p m='$p' n=\"$p\" o=$p$p\nWORKDIR ${p%/*}\n"
                 "COPY a ${p}\nEXPOSE ${q:-80}\nLABEL \"$p\"=1\nUSER ${nobody:-app}\nVOLUME ${p##*/}\n",
    "workdir": "USER app\nWORKDIR /home/app/x/y\nRUN touch f\nWORKDIR ../z\nRUN pwd > f\nWORKDIR /tmp\n",
    "run-forms": 'RUN ["/bin/sh","-c","echo $HOME > /h"]\nRUN echo a \\\n  # comment\n  b > /c\n'
                 "RUN env | grep -v HOSTNAME | sort > /env\nUSER app\nRUN env | grep -v HOSTNAME | sort > /tmp/env; id > /tmp/id\n",
    "run-heredoc": "RUN <<EOF\necho one > /one\necho two > /two\nEOF\nRUN cat <<a > /three && cat <<b > /four\nA\na\nB $PATH\nb\n",
    "run-shell": 'SHELL ["/bin/ash", "-ec"]\nRUN echo x > /x\nCMD echo y\nENTRYPOINT echo z\n',
    "run-modes": "RUN umask > /u; touch /f; mkdir /d; mkfifo /p; ln -s x /l; ln /f /g; chmod 4755 /f; chown 5:6 /d\n",
    "run-ids": "USER 1000\nRUN id > /tmp/1\nUSER app:staff\nRUN id > /tmp/2\nUSER 7:8\nRUN id > /tmp/3\n",
    "delete": "RUN mkdir -p /k/l && touch /k/l/m /k/n\nRUN rm -r /k/l && mkdir /k/l && touch /k/l/new\n"
              "RUN rm /k/n && ln -s l /k/n\nCOPY d /k/l\n",
    "replace": "RUN mkdir /r && touch /r/a && ln -s r /s\nRUN rm -r /r && touch /r\nRUN rm /r && mkdir /r\nRUN mv /r /q\n",
    "onbuild": "ONBUILD COPY a /ob\nONBUILD RUN echo $X > /obr\nONBUILD ENV X=1\n",
    "user-extra-words": "USER 75 engy\nCMD id\n",
    "volume-run": "VOLUME /v\nRUN echo x > /v/f\n",
    "command-resets": "CMD one\nENTRYPOINT two\nCMD three\n",
    "entrypoint-over-base-cmd": 'ENTRYPOINT ["/bin/echo"]\n',
    "bad-copy": "COPY nofile /x\n",
    "bad-copy-above": "COPY ../a /x\nCOPY ../../nofile /y\n",
    "bad-run": "RUN echo out; exit 3\n",
    "bad-instruction": "RUM x\n",
    "bad-flag": "COPY --frob=1 a /x\n",
    "bad-workdir": "RUN touch /file\nWORKDIR /file\n",
    "bad-file-over-dir": "RUN touch /f2\nCOPY d /f2\n",
    "bad-chown": "COPY --chown=unknown a /4\n",
    "bad-stage": "COPY --from=7 a /4\n",
    "empty-run": "RUN\n",
    "empty-cmd": "CMD\n",
}

WHOLE = {
    "stages": ("FROM busybox AS One\nRUN mkdir /o && echo 1 > /o/f && chmod 700 /o && chown 1000:1000 /o/f\n"
               "FROM busybox AS unused\nRUN false\nFROM one AS two\nCOPY --from=ONE /o /p\nCOPY --from=0 /o/f /q/\n"
               "FROM scratch\nCOPY --from=two / /\nCOPY --from=busybox /etc/passwd /pw\n", []),
    "stage-onbuild": ("FROM busybox AS b\nONBUILD COPY a /ob\nONBUILD RUN echo $X > /obr\nFROM b\nRUN true\n", []),
    "target": ("FROM busybox AS a\nENV A=1\nFROM busybox AS b\nENV B=2\n", ["--target", "a"]),
    "build-args": ("ARG V=busybox\nARG N\nFROM $V\nARG N=9\nARG M\nRUN echo $N $M > /n\nLABEL n=$N m=$M\n",
                   ["--build-arg", "N=1", "--build-arg", "M=two words"]),
    "build-args-order": ("ARG Z=1\nFROM busybox\nARG Y=1\nARG Z\nARG A=2\nRUN true\nARG Y=3\nARG B\nENV A=5\nRUN true # 2\n", []),
    "arg-over-env": ("ARG G=6\nFROM busybox\nENV D=4 E=4 G=4 P=4\nARG D=5\nARG E\nARG G\nARG P=$D\n"
                     "RUN env | sort >/e\nLABEL d=$D e=$E g=$G p=$P\nENV D=7\nRUN env | sort >/f\nLABEL d2=$D\n"
                     "ENV Q=$D$E$G$P\n", ["--build-arg", "E=8"]),
    "arg-over-env-stages": ("FROM busybox AS a\nENV D=4\nARG D=5\nENV F=$D\nFROM a\nARG D\nRUN env | sort >/e\nLABEL d=$D\n"
                            "ARG D=9\nRUN env | sort >/f\n", []),
    "labels": ("FROM busybox\nLABEL a=1 b=2\n", ["--label", "b=3", "--label", "c=4"]),
    "escape-directive": ("# escape=`\nFROM busybox\nRUN echo a `\n  b > /c\nENV P=C:\\x Q=`$P\n", []),
    "scratch-copy": ("FROM scratch\nCOPY a /\nCMD [\"/hello\"]\n", []),
    "bad-from": ("FROM nosuchimage.invalid/x:latest\n", []),
    "bad-cycle": ("FROM b AS a\nFROM a AS b\n", []),
    "bad-target": ("FROM busybox\n", ["--target", "zz"]),
    "bad-empty": ("", []),
}

# What a step sees in its mounts goes into files, which are compared.
ONE = ("FROM busybox AS one\nRUN mkdir -p /data/x && echo 1 > /data/x/f && chown 5:6 /data/x/f && "
       "chmod 750 /data/x && ln -s x /data/l\nFROM busybox\nWORKDIR /w\n")
SECRET = ["--secret", "id=s,src=a"]


def see(where, to):
    # sizes of directories and the device are the file system's affair
    return ("find %s | sort | while read -r f; do stat -c '%%n %%a %%u %%g %%F' \"$f\"; "
            "[ ! -f \"$f\" ] || cat \"$f\"; done > %s 2>&1" % (where, to))


MOUNTS = {
    "mount-context": ("RUN --mount=target=. --mount=source=p,dst=/p --mount=source=d,target=/dd --mount=type=bind,src=d/sub/g,destination=/g "
                      "cd /w; stat -c '%a %n' /w /dd /p > /m; " + see("a b d/sub d/hard dlink/f link p x.txt '[odd]' 'with space' /p/q /g /dd/sub", "/out") + "\n", []),
    "mount-context-ignored": ("RUN --mount=target=/m " + see("/m/d /m/p", "/out") + "\n", []),
    "mount-context-file": ("RUN --mount=source=b,target=/etc/issue --mount=source=link,target=/deep/er/l "
                           + see("/etc/issue /deep/er/l", "/out") + "\n", []),
    "mount-stage": ("RUN --mount=from=one,source=/data,target=/d --mount=from=one,source=data/l/f,target=/f "
                    + see("/d /f", "/out") + "\n", []),
    "mount-image": ("RUN --mount=from=busybox,target=/i --mount=from=busybox,source=etc,target=e "
                    + see("/i/etc /w/e", "/out") + "\n", []),
    "mount-read-only": ("RUN --mount=target=/m --mount=from=one,source=data,target=/d "
                        "touch /m/x /d/x 2> /err; echo x > /d/x/f 2>> /err; true\n", []),
    "mount-writes-are-lost": ("RUN --mount=target=/m,rw --mount=from=one,source=data,target=/d,readwrite "
                              "touch /m/x /d/x/y && rm /m/a && echo 2 > /d/x/f && " + see("/m/x /d", "/out") + "\n"
                              "RUN --mount=target=/m --mount=from=one,source=data,target=/d ls /m > /l; "
                              + see("/d /m/a", "/out2") + "\n", []),
    "mount-cache": ("RUN --mount=type=cache,target=/c,id=compat-$ID echo 1 >> /c/log; stat -c '%a %u %g' /c > /o\n"
                    "RUN --mount=type=cache,target=rel,id=compat-$ID,sharing=locked cat rel/log > /o2\n"
                    "RUN --mount=type=cache,target=/c,id=compat-$ID,ro touch /c/x 2> /e; ls /c >> /e; true\n"
                    "USER app\nRUN --mount=type=cache,target=/tmp/c,id=compat2-$ID,uid=1000,gid=50,mode=0750 "
                    "stat -c '%a %u %g' /tmp/c > /tmp/o\n", []),
    "mount-cache-from": ("RUN --mount=type=cache,target=/c,id=compat3-$ID,from=one,source=data "
                         + see("/c/x /c/l", "/out") + "; touch /c/new\n"
                         "RUN --mount=type=cache,target=/c,id=compat3-$ID,from=one,source=data ls /c > /out2\n", []),
    "mount-tmpfs": ("RUN --mount=type=tmpfs,target=/t,size=1m --mount=type=tmpfs,target=/t2,ro "
                    "stat -c %a /t > /o; df -k /t | tail -1 | awk '{print $2}' >> /o; touch /t/x; touch /t2/x 2>> /o; "
                    "grep ' /t ' /proc/mounts | cut -d' ' -f2-4 >> /o\n", []),
    "mount-secret": ("RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=rel/s,mode=0444,uid=7,gid=8 "
                     "--mount=type=secret,id=s,env=S --mount=type=secret,id=s,env=S2,target=/s2 "
                     "--mount=type=secret,id=none --mount=type=secret,source=s,target=/etc/new/s "
                     + see("/run /w/rel /s2 /etc/new", "/out") + "; echo \"$S $S2\" >> /out; "
                     "grep ' /s2 ' /proc/mounts | cut -d' ' -f2-4 | sed s/,mode=755// >> /out\n", SECRET),
    "mount-ssh-absent": ("RUN --mount=type=ssh echo \"[$SSH_AUTH_SOCK]\" > /o; ls /run >> /o 2>&1; true\n"
                         "ENV SSH_AUTH_SOCK=/mine\nRUN --mount=type=ssh,id=x,target=/agent echo $SSH_AUTH_SOCK > /o2\n", []),
    "mount-points": ("RUN mkdir -p /opt/old && touch /opt/old/f\n"
                     "RUN --mount=type=tmpfs,target=/opt/new/deep --mount=type=tmpfs,target=/opt/x/y touch /opt/x/mine\n"
                     "RUN --mount=source=a,target=/z/file touch /z/other; rm -f /opt/old/f\n"
                     "RUN --mount=type=tmpfs,target=/link/t --mount=type=tmpfs,target=/etc ln -s /opt /link2; ls /etc > /l\n", []),
    "mount-below-mount": ("RUN --mount=target=/a/b --mount=type=tmpfs,target=/a --mount=type=tmpfs,target=/a/c ls /a /a/b > /o\n", []),
    "mount-variables": ("ARG T=/t\nENV S=p/q\nRUN --mount=source=${S},target=$T/x,type=bind " + see("/t", "/o") + "\n", []),
    "run-script": ("ARG X=5\nRUN <<EOT\n#!/bin/sh\necho $0 $X > /o\nstat -c '%a %u %n' /dev/pipes/* >> /o\nEOT\n"
                   "RUN <<A cat > /a\n#!/bin/sh\nA\n", []),
    "run-limits": ("RUN ulimit -Sn > /l; ulimit -Hn >> /l; df -k /dev/shm | tail -1 | awk '{print $2}' >> /l\n",
                   ["--shm-size", "10m", "--ulimit", "nofile=123:456"]),
    "bad-mount-root": ("RUN --mount=target=/ true\n", []),
    "bad-mount-missing": ("RUN --mount=source=nope,target=/x true\n", []),
    "bad-mount-above": ("RUN --mount=source=../../etc,target=/x true\n", []),
    "bad-mount-from": ("RUN --mount=from=nope.invalid/x,target=/x true\n", []),
    "bad-mount-file-on-directory": ("RUN --mount=source=a,target=/etc true\n", []),
    "bad-mount-directory-on-file": ("RUN --mount=target=/etc/passwd true\n", []),
    "bad-mount-in-read-only": ("RUN --mount=from=busybox,target=/a --mount=type=tmpfs,target=/a/nope true\n", []),
    "bad-secret-required": ("RUN --mount=type=secret,id=x,required true\n", SECRET),
    "bad-ssh-required": ("RUN --mount=type=ssh,required true\n", []),
    "bad-secret-file": ("RUN true\n", ["--secret", "id=x,src=/nonexist"]),
    "bad-secret-id": ("RUN true\n", ["--secret", "src=a"]),
    "bad-entitlement": ("RUN true\n", ["--allow", "foo"]),
    "bad-network-host": ("RUN --network=host true\n", []),
}

IGNORED = ("FROM busybox\nCOPY . /m/\n", "d/sub\n!d/sub/g\n*.bin\n**/h\n\\[odd]\np/**/*.md\n")


def all_cases():
    for name, text in DOCKERFILES.items():
        yield name, {"Dockerfile": "FROM busybox\n" + text}, []
    for name, (text, options) in WHOLE.items():
        yield name, {"Dockerfile": text}, options
    yield "ignore-file", {"Dockerfile": IGNORED[0], ".dockerignore": IGNORED[1]}, []
    for name, (text, options) in MOUNTS.items():
        # caches outlive the images: each comparison has its own
        files = {"Dockerfile": ONE + text.replace("$ID", "%d-%d" % (os.getpid(), int(time.time())))}
        if name.endswith("ignored"):
            files[".dockerignore"] = "d/sub\n**/three.md\n"
        yield name, files, options
