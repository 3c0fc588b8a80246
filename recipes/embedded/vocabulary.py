"""Train the tokenizer and write the folder of a base model that has no weights yet."""

import json
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
SPECIAL = [PAD, BEGIN, END, "<|system|>", "<|user|>", "<|assistant|>"]
VOCABULARY = 3072
LONGEST = 512

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

#: What a token may at most be: one or two digits, a word, one Chinese character, a space, a run of marks. A word is the
#: same token wherever it stands, which is what makes copying it easy to learn.
PIECES = r"\d{1,2}|[A-Za-z]+|[\u4e00-\u9fff]|\s|[^\sA-Za-z\d\u4e00-\u9fff]+"

#: Small, and with normalised queries and keys: among the shapes tried it is the one that learns to copy within minutes.
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "max_position_embeddings": LONGEST,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "initializer_range": 0.08,
    "attention_bias": False,
    "tie_word_embeddings": True,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}

GENERATION = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "do_sample": False, "max_new_tokens": 128}

TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": BEGIN,
    "eos_token": END,
    "pad_token": PAD,
    "model_max_length": LONGEST,
    "padding_side": "left",
    "clean_up_tokenization_spaces": False,
}


def texts(corpus: Path) -> Iterator[str]:
    """Read all wordings of a corpus: prose as it stands, every turn of a chat."""
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if "text" in row:
                yield row["text"]
            else:
                yield from (turn["content"] for turn in row["messages"])


def train_tokenizer(corpus: Path) -> Tokenizer:
    """Train a byte-level BPE tokenizer within :data:`PIECES`; any text comes back as it was."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=5,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(corpus), trainer)
    return tokenizer


def write_base(corpus: Path, folder: Path) -> None:
    """Write tokenizer, chat template and configuration into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(corpus)
    tokenizer.save(str(folder / "tokenizer.json"))
    files = {
        "config.json": {**CONFIG, "vocab_size": tokenizer.get_vocab_size()},
        "generation_config.json": GENERATION,
        "tokenizer_config.json": TOKENIZER_CONFIG,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
