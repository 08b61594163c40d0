"""The evidence package: entries, their proofs, the checkpoint, the policy in force, a verifier, a manifest; one ZIP.

The same job gives the same bytes: names sorted, times fixed, nothing of the moment of making.
"""

import hashlib
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from hub.audit.leaf import pack_header
from hub.audit.note import VerifierKey
from hub.audit.package import VERIFIER
from hub.audit.reader import EntryRow, show
from hub.auditing.formats import About

EVIDENCE_ENTRIES = 20_000
README = """Evidence package of hub's audit log / 审计日志证据包

entries.jsonl     the entries, one a line / 条目
proofs.jsonl      of each entry its bytes and the hashes that lead to the checkpoint's root (RFC 9162) / 存在性证明
checkpoint.note   the signed checkpoint (C2SP) / 签名检查点
log.vkey          key of the log; compare it with the one you got on another way / 日志公钥，请与另行取得者核对
policy/           the policy texts that were in force, by digest / 生效策略文本
manifest.json     SHA-256 of every file / 文件摘要

Verify / 验证:  python3 hub_verify.py . --trust KEY
"""


def proof_line(row: EntryRow, hashes: Sequence[bytes]) -> bytes:
    """One line of `proofs.jsonl`."""
    said = {"index": row.seq - 1, "leaf": _b64(row.leaf), "hashes": [_b64(one) for one in hashes]}
    if row.body is not None:
        header = pack_header(
            kind=row.kind, length=len(row.body), seq=row.seq, time_us=row.time_us, entry_id=row.entry_id
        )
        said |= {"header": _b64(header), "body": _b64(row.body)}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS) + b"\n"


def write_evidence(
    path: Path,
    rows: Sequence[EntryRow],
    proofs: Sequence[bytes],
    *,
    about: About,
    note: str,
    key: VerifierKey,
    policies: Mapping[str, Mapping[str, str]],
) -> None:
    """Write the ZIP. `proofs`: lines of `proof_line`; `policies`: digest → file → text."""
    shown = [show(row) for row in rows]
    files: dict[str, bytes] = {
        "README.txt": README.encode(),
        "checkpoint.note": note.encode(),
        "entries.jsonl": b"".join(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) + b"\n" for one in shown),
        "hub_verify.py": VERIFIER.read_bytes(),
        "log.vkey": f"{key}\n".encode(),
        "proofs.jsonl": b"".join(proofs),
    }
    for digest, texts in policies.items():
        files |= {f"policy/{digest[:16]}/{name}": text.encode() for name, text in texts.items()}
    asked = sorted({one["policyDigest"] for one in shown if one.get("policyDigest")})
    manifest = {
        "checkpoint": {"origin": about.origin, "size": about.size, "root": about.root},
        "entries": len(shown),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
        "filter": dict(about.wanted),
        "policies": asked,
        "policiesWithoutText": [digest for digest in asked if digest not in policies],
    }
    files["manifest.json"] = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, compresslevel=9)


def _b64(data: bytes) -> str:
    return b64encode(bytes(data)).decode()
