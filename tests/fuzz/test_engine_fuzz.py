from pathlib import Path

import pytest

from tests.fuzz import corpus, fuzz_engine

ITERATIONS = 12_000
SEED = 1


@pytest.mark.slow
def test_mutated_input_never_leads_the_engine_astray(tmp_path: Path) -> None:
    try:
        program = fuzz_engine.build(tmp_path)
    except fuzz_engine.NoSanitizers as reason:
        pytest.skip(str(reason))
    seeds = tmp_path / "corpus"
    seeds.write_bytes(corpus.serialized())
    said = fuzz_engine.run(program, seeds, ITERATIONS, SEED)
    # The mutants are worth something only if many get far.
    numbers = [int(word) for word in said.replace(",", "").split() if word.isdigit()]
    assert len(numbers) == 6
    assert min(numbers) > ITERATIONS // 200, said


def test_a_crash_is_told(tmp_path: Path) -> None:
    program = tmp_path / "crashing"
    program.write_text("#!/bin/sh\necho heap-buffer-overflow >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(fuzz_engine.Crashed, match=r"seed 5(.|\n)*overflow"):
        fuzz_engine.run(program, tmp_path, 1, 5)
