"""Driver of the data benchmark: datatrove with its own PII formatter, MinHash stages and writers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.drivers.rows import KINDS, Work, side, tell

BUCKETS, HASHES = 14, 8


def document(_reader: Any, data: dict[str, Any], path: str, id_in_file: int | str) -> dict[str, Any]:
    """A row as datatrove's reader gives it: question and answer together are the text."""
    parts = [data.get("instruction", ""), data.get("input", ""), data.get("output", "")]
    return {
        "text": "\n\n".join(parts),
        "id": f"{path}/{id_in_file}",
        "metadata": {"question": parts[0], "side": side(parts[0])},
    }


def steps() -> list[Any]:
    """What is done to single rows."""
    import unicodedata

    from datatrove.pipeline.filters import LambdaFilter
    from datatrove.pipeline.formatters import PIIFormatter
    from datatrove.pipeline.formatters.base import BaseFormatter

    class Rest(BaseFormatter):
        """Composes Unicode, and masks what the PII formatter does not know."""

        name = "rest"

        def format(self, text: str) -> str:
            text = unicodedata.normalize("NFC", text).strip()
            for mask in ("[CARD]", "[PHONE]"):
                text = KINDS[mask].sub(mask, text)
            return text

    def english(doc: Any) -> bool:
        import py3langid

        return bool(py3langid.classify(doc.text)[0] == "en")

    return [
        LambdaFilter(english),
        PIIFormatter(only_remove_public_ips=False, email_replacement="[EMAIL]", ip_replacement="[IP]"),
        Rest(),
    ]


def main() -> None:
    """Prepare the rows, in the five stages of its example."""
    work = Work.read()
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter, ParquetWriter

    count, folder = work.processes, Path(work.folder)
    config = MinhashConfig(n_grams=2, num_buckets=BUCKETS, hashes_per_bucket=HASHES)
    clean, sigs, buckets, ids, out = (str(folder / name) for name in ("clean", "sigs", "buckets", "ids", "out"))

    stages = iter(range(5))

    def run(pipeline: list[Any], tasks: int) -> None:
        # A folder for each stage: what is marked as done in it is not done again.
        logs = str(folder / "logs" / str(next(stages)))
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=count, logging_dir=logs).run()

    run([JsonlReader(work.shards, adapter=document), *steps(), JsonlWriter(clean, compression=None)], count)
    run([JsonlReader(clean), MinhashDedupSignature(sigs, config=config)], count)
    run([MinhashDedupBuckets(sigs, buckets, config=config)], BUCKETS)
    run([MinhashDedupCluster(buckets, ids, config=config)], 1)
    writer = ParquetWriter(out, output_filename="${side}-${rank}.parquet", compression="zstd")
    run([JsonlReader(clean), MinhashDedupFilter(ids), writer], count)
    import pyarrow.parquet as pq

    tell(sum(pq.ParquetFile(path).metadata.num_rows for path in Path(out).glob("*.parquet")))


if __name__ == "__main__":
    main()
