"""`run.json`, beside what `json` makes of the whole of it."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pairwright.folders.manifest import MANIFEST, InputInfo, Manifest, Shard, load_manifest
from pairwright.records import content_hash

names = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
settings_of_a_run = st.dictionaries(names, values, max_size=3)
shards = st.builds(
    Shard,
    counts=st.dictionaries(names, st.integers(0, 1000), max_size=3),
    sha256=st.dictionaries(st.sampled_from(["data", "dropped"]), st.just("0" * 64)),
    further=st.integers(0, 3),
)
manifests = st.builds(
    Manifest,
    stage=names,
    versions=st.just({}),
    config=settings_of_a_run,
    semantic=settings_of_a_run,
    gate=settings_of_a_run,
    engines=st.just({}),
    dialects=st.just({}) | st.dictionaries(names, settings_of_a_run, max_size=2),
    input=st.builds(InputInfo, path=names, sha256=names, rows=st.integers(0)),
    items=st.integers(0),
    shard_size=st.integers(1),
    shards=st.dictionaries(st.integers(0, 200), shards, max_size=12),
    complete=st.booleans(),
    seconds=st.floats(0, 1e6),
)


@settings(max_examples=60, deadline=None)
@given(manifests)
def test_it_is_the_json_of_all_values_with_their_hash(manifest: Manifest) -> None:
    values = manifest.model_dump(mode="json", exclude=None if manifest.dialects else {"dialects"})
    derived = {
        "fingerprint": manifest.fingerprint,
        "counts": manifest.counts,
        "hash": content_hash(values),
    }
    with TemporaryDirectory() as place:
        manifest.save(Path(place))
        text = Path(place, MANIFEST).read_text()
        assert text == json.dumps(values | derived, indent=1, ensure_ascii=False) + "\n"
        assert load_manifest(Path(place)) == manifest


def test_a_shard_with_files_has_a_text_of_its_own() -> None:
    shard = Shard(counts={"kept": 2}, sha256={})
    assert '"sha256":{}' in shard.canonical
    assert '"sha256":{"data":"0"}' in shard.with_files({"data": "0"}).canonical
