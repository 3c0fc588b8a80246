"""Chat templates of well-known families, written down from their published formats, and what must be learned of them.

A table entry is the text that the model sees; what stands between ``⟦`` and ``⟧`` is learned, the rest is only read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.rows import Message, ToolCall

TOOLS = ({"type": "function", "function": {"name": "sky", "parameters": {"type": "object"}}},)
CALL = Message("assistant", "", tool_calls=(ToolCall("sky", {"at": "Rome"}),))
CHATS: dict[str, tuple[Message, ...]] = {
    "one": (Message("user", "hi"), Message("assistant", "yes")),
    "system": (Message("system", "be kind"), Message("user", "hi"), Message("assistant", "yes")),
    "turns": (
        Message("user", "hi"),
        Message("assistant", "yes"),
        Message("user", "你好吗"),
        Message("assistant", "很好"),
    ),
    "muted": (
        Message("user", "hi"),
        Message("assistant", "yes", learn=False),
        Message("user", "ok"),
        Message("assistant", "no"),
    ),
    "thinking": (
        Message("user", "hi"),
        Message("assistant", "yes", thinking="hm"),
        Message("user", "ok"),
        Message("assistant", "no", thinking="so"),
    ),
    "tools": (Message("user", "sky?"), CALL, Message("tool", "blue"), Message("assistant", "It is blue.")),
}


@dataclass(frozen=True)
class Family:
    """A way to write conversations.

    Attributes:
        template: The Jinja template, with generation marks around what is learned.
        control: Control tokens.
        eos: The tokenizer's end token.
        golden: What the model sees and learns of each chat: a text for each example.
        bos: The tokenizer's beginning token.
        words: Whether the tokenizer splits into words with a mark before each, as sentencepiece does.
    """

    template: str
    control: list[str]
    eos: str
    golden: dict[str, list[str]]
    bos: str | None = None
    words: bool = False

    @property
    def unmarked(self) -> str:
        """The same template without generation marks."""
        return re.sub(r"{% (end)?generation %}", "", self.template)

    def tokenizer(self, folder: Path, *, template: str | None = None, adds_bos: bool = False) -> Any:
        """The tokenizer of this family, as Hugging Face opens it."""
        save(folder, self, adds_bos=adds_bos)
        from transformers import AutoTokenizer

        hf = AutoTokenizer.from_pretrained(folder)
        hf.chat_template = self.template if template is None else template
        return hf


TEXT = ["user assistant system the quick brown fox yes no be kind It is blue sky hi ok", "今天天气很好 你好吗"]


def save(folder: Path, family: Family, *, adds_bos: bool = False) -> None:
    """Write a small BPE tokenizer with the control tokens of a family."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = list(dict.fromkeys(["<pad>", family.eos, *([family.bos] if family.bos else []), *family.control]))
    tokenizer: Any
    if family.words:
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<pad>"))
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme="first"), decoders.ByteFallback()])
        alphabet = sorted(set("".join(TEXT) + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\n:/[]#.?▁"))
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, initial_alphabet=list(alphabet))
    tokenizer.train_from_iterator(TEXT * 4, trainer)
    if adds_bos:
        pair = (family.bos, tokenizer.token_to_id(family.bos))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{family.bos} $A", special_tokens=[pair])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": family.eos}
    said |= {"bos_token": family.bos} if family.bos else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")


@dataclass(frozen=True)
class Turns:
    """A family that writes each turn for itself: texts before and after what is said."""

    user: tuple[str, str]
    opening: str
    end: str
    after: str = ""
    lead: str = ""
    first: str = ""
    system: tuple[str, str] | None = None
    control: list[str] = field(default_factory=list)

    @property
    def template(self) -> str:
        """Its Jinja template."""

        def said(text: str) -> str:
            return f"{{{{ {text!r} }}}}" if text else ""

        system = (
            f"{said(self.system[0])}{{{{ m.content }}}}{said(self.system[1])}"
            if self.system
            else "{{ raise_exception('no system turns') }}"
        )
        return (
            f"{said(self.first)}{{% for m in messages %}}"
            f"{{% if m.role == 'system' %}}{system}"
            f"{{% elif m.role == 'user' %}}{said(self.user[0])}{{{{ m.content }}}}{said(self.user[1])}"
            f"{{% else %}}{said(self.opening)}{{% generation %}}{said(self.lead)}{{{{ m.content }}}}"
            f"{said(self.end)}{{% endgeneration %}}{said(self.after)}{{% endif %}}{{% endfor %}}"
            f"{{% if add_generation_prompt %}}{said(self.opening)}{{% endif %}}"
        )

    def family(self, golden: dict[str, list[str]], *, eos: str, bos: str | None = None, words: bool = False) -> Family:
        """The family with its table."""
        return Family(self.template, self.control, eos, golden, bos, words)


CHATML = Turns(
    user=("<|im_start|>user\n", "<|im_end|>\n"),
    system=("<|im_start|>system\n", "<|im_end|>\n"),
    opening="<|im_start|>assistant\n",
    end="<|im_end|>",
    after="\n",
    control=["<|im_start|>"],
)
LLAMA3 = Turns(
    first="<|begin_of_text|>",
    user=("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
    system=("<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"),
    opening="<|start_header_id|>assistant<|end_header_id|>\n\n",
    end="<|eot_id|>",
    control=["<|start_header_id|>", "<|end_header_id|>"],
)
MISTRAL = Turns(first="<s>", user=("[INST] ", " [/INST]"), opening="", lead=" ", end="</s>")
GEMMA = Turns(
    first="<bos>",
    user=("<start_of_turn>user\n", "<end_of_turn>\n"),
    opening="<start_of_turn>model\n",
    end="<end_of_turn>",
    after="\n",
    control=["<start_of_turn>", "<end_of_turn>"],
)
PHI3 = Turns(
    user=("<|user|>\n", "<|end|>\n"),
    system=("<|system|>\n", "<|end|>\n"),
    opening="<|assistant|>\n",
    end="<|end|>",
    after="\n",
    control=["<|user|>", "<|system|>", "<|assistant|>", "<|end|>"],
)
ZEPHYR = Turns(
    user=("<|user|>\n", "</s>\n"), system=("<|system|>\n", "</s>\n"), opening="<|assistant|>\n", end="</s>", after="\n"
)
VICUNA = Turns(first="<s>", user=("USER: ", " "), system=("", " "), opening="ASSISTANT:", lead=" ", end="</s>")
ALPACA = Turns(
    user=("### Instruction:\n", "\n\n"), system=("", "\n\n"), opening="### Response:\n", end="</s>", after="\n\n"
)
COMMAND = Turns(
    first="<BOS_TOKEN>",
    user=("<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
    system=("<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
    opening="<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    end="<|END_OF_TURN_TOKEN|>",
    control=["<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|CHATBOT_TOKEN|>"],
)
GRANITE = Turns(
    user=("<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"),
    system=("<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"),
    opening="<|start_of_role|>assistant<|end_of_role|>",
    end="<|end_of_text|>",
    after="\n",
    control=["<|start_of_role|>", "<|end_of_role|>"],
)
OLMO2 = Turns(
    first="<|endoftext|>",
    user=("<|user|>\n", "\n"),
    system=("<|system|>\n", "\n"),
    opening="<|assistant|>\n",
    end="<|endoftext|>",
    after="\n",
)
DEEPSEEK = Turns(
    first="<｜begin▁of▁sentence｜>",
    user=("<｜User｜>", ""),
    system=("", ""),
    opening="<｜Assistant｜>",
    end="<｜end▁of▁sentence｜>",
    control=["<｜User｜>", "<｜Assistant｜>"],
)
GLM4 = Turns(
    first="[gMASK]<sop>",
    user=("<|user|>\n", ""),
    system=("<|system|>\n", ""),
    opening="<|assistant|>\n",
    end="",
    control=["[gMASK]", "<sop>", "<|user|>", "<|system|>", "<|assistant|>"],
)
FALCON = Turns(user=("User: ", "\n\n"), system=("", "\n\n"), opening="Falcon:", lead=" ", end="", after="\n\n")

QWEN3 = (  # old reasoning is left out
    "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}"
    "{% endif %}{% endfor %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
    "{% generation %}{% if loop.index0 > ns.last %}{{ '<think>\n' + (m.reasoning_content or '') + '\n</think>\n\n' }}"
    "{% endif %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}"
    "{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HERMES = (  # tools in the system turn, calls as JSON between marks
    "{% if tools %}{{ '<|im_start|>system\n<tools>' }}{% for t in tools %}{{ t.function.name }}{% endfor %}"
    "{{ '</tools><|im_end|>\n' }}{% endif %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% for c in m.tool_calls or [] %}"
    "{{ '<tool_call>' + c.function.name + ' ' + c.function.arguments.at + '</tool_call>' }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HARMONY = (  # channels; the last answer ends otherwise than those before it
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ '<|start|>assistant' }}{% generation %}"
    "{% if m.reasoning_content and loop.last %}"
    "{{ '<|channel|>analysis<|message|>' + m.reasoning_content + '<|end|><|start|>assistant' }}{% endif %}"
    "{{ '<|channel|>final<|message|>' + m.content + ('<|return|>' if loop.last else '<|end|>') }}{% endgeneration %}"
    "{% else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)

_IM = "<|im_start|>"
_A3 = "<|start_header_id|>assistant<|end_header_id|>\n\n"
_U3 = "<|start_header_id|>user<|end_header_id|>\n\n"
_GU, _GM = "<start_of_turn>user\n", "<start_of_turn>model\n"
_CU, _CB = "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
_CE = "<|END_OF_TURN_TOKEN|>"
_RU, _RA = "<|start_of_role|>user<|end_of_role|>", "<|start_of_role|>assistant<|end_of_role|>"
_DB, _DE = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
_HU, _HA, _HF = "<|start|>user<|message|>", "<|start|>assistant", "<|channel|>final<|message|>"

FAMILIES: dict[str, Family] = {
    "chatml": CHATML.family(
        {
            "one": [f"{_IM}user\nhi<|im_end|>\n{_IM}assistant\n⟦yes<|im_end|>⟧"],
            "system": [
                f"{_IM}system\nbe kind<|im_end|>\n{_IM}user\nhi<|im_end|>\n{_IM}assistant\n⟦yes<|im_end|>⟧",
            ],
            "turns": [
                f"{_IM}user\nhi<|im_end|>\n{_IM}assistant\n⟦yes<|im_end|>⟧\n"
                f"{_IM}user\n你好吗<|im_end|>\n{_IM}assistant\n⟦很好<|im_end|>⟧",
            ],
            "muted": [
                f"{_IM}user\nhi<|im_end|>\n{_IM}assistant\nyes<|im_end|>\n"
                f"{_IM}user\nok<|im_end|>\n{_IM}assistant\n⟦no<|im_end|>⟧",
            ],
        },
        eos="<|im_end|>",
    ),
    "llama3": LLAMA3.family(
        {
            "one": [f"<|begin_of_text|>{_U3}hi<|eot_id|>{_A3}⟦yes<|eot_id|>⟧"],
            "system": [
                "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nbe kind<|eot_id|>"
                f"{_U3}hi<|eot_id|>{_A3}⟦yes<|eot_id|>⟧",
            ],
            "turns": [
                f"<|begin_of_text|>{_U3}hi<|eot_id|>{_A3}⟦yes<|eot_id|>⟧{_U3}你好吗<|eot_id|>{_A3}⟦很好<|eot_id|>⟧",
            ],
            "muted": [
                f"<|begin_of_text|>{_U3}hi<|eot_id|>{_A3}yes<|eot_id|>{_U3}ok<|eot_id|>{_A3}⟦no<|eot_id|>⟧",
            ],
        },
        eos="<|eot_id|>",
        bos="<|begin_of_text|>",
    ),
    "mistral": MISTRAL.family(
        {
            "one": ["<s>[INST] hi [/INST]⟦ yes</s>⟧"],
            "turns": ["<s>[INST] hi [/INST]⟦ yes</s>⟧[INST] 你好吗 [/INST]⟦ 很好</s>⟧"],
            "muted": ["<s>[INST] hi [/INST] yes</s>[INST] ok [/INST]⟦ no</s>⟧"],
        },
        eos="</s>",
        bos="<s>",
        words=True,
    ),
    "gemma": GEMMA.family(
        {
            "one": [f"<bos>{_GU}hi<end_of_turn>\n{_GM}⟦yes<end_of_turn>⟧"],
            "turns": [
                f"<bos>{_GU}hi<end_of_turn>\n{_GM}⟦yes<end_of_turn>⟧\n{_GU}你好吗<end_of_turn>\n{_GM}"
                "⟦很好<end_of_turn>⟧",
            ],
            "muted": [
                f"<bos>{_GU}hi<end_of_turn>\n{_GM}yes<end_of_turn>\n{_GU}ok<end_of_turn>\n{_GM}⟦no<end_of_turn>⟧"
            ],
        },
        eos="<eos>",
        bos="<bos>",
    ),
    "phi3": PHI3.family(
        {
            "one": ["<|user|>\nhi<|end|>\n<|assistant|>\n⟦yes<|end|>⟧"],
            "system": ["<|system|>\nbe kind<|end|>\n<|user|>\nhi<|end|>\n<|assistant|>\n⟦yes<|end|>⟧"],
            "turns": [
                "<|user|>\nhi<|end|>\n<|assistant|>\n⟦yes<|end|>⟧\n<|user|>\n你好吗<|end|>\n<|assistant|>\n⟦很好<|end|>⟧",
            ],
        },
        eos="<|endoftext|>",
    ),
    "zephyr": ZEPHYR.family(
        {
            "one": ["<|user|>\nhi</s>\n<|assistant|>\n⟦yes</s>⟧"],
            "system": ["<|system|>\nbe kind</s>\n<|user|>\nhi</s>\n<|assistant|>\n⟦yes</s>⟧"],
            "turns": ["<|user|>\nhi</s>\n<|assistant|>\n⟦yes</s>⟧\n<|user|>\n你好吗</s>\n<|assistant|>\n⟦很好</s>⟧"],
        },
        eos="</s>",
    ),
    "vicuna": VICUNA.family(
        {
            "one": ["<s>USER: hi ASSISTANT:⟦ yes</s>⟧"],
            "system": ["<s>be kind USER: hi ASSISTANT:⟦ yes</s>⟧"],
            "turns": ["<s>USER: hi ASSISTANT:⟦ yes</s>⟧USER: 你好吗 ASSISTANT:⟦ 很好</s>⟧"],
            "muted": ["<s>USER: hi ASSISTANT: yes</s>USER: ok ASSISTANT:⟦ no</s>⟧"],
        },
        eos="</s>",
        bos="<s>",
        words=True,
    ),
    "alpaca": ALPACA.family(
        {
            "one": ["### Instruction:\nhi\n\n### Response:\n⟦yes</s>⟧"],
            "turns": [
                "### Instruction:\nhi\n\n### Response:\n⟦yes</s>⟧\n\n"
                "### Instruction:\n你好吗\n\n### Response:\n⟦很好</s>⟧",
            ],
        },
        eos="</s>",
    ),
    "command": COMMAND.family(
        {
            "one": [f"<BOS_TOKEN>{_CU}hi{_CE}{_CB}⟦yes{_CE}⟧"],
            "system": [
                f"<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>be kind{_CE}{_CU}hi{_CE}{_CB}⟦yes{_CE}⟧",
            ],
            "turns": [f"<BOS_TOKEN>{_CU}hi{_CE}{_CB}⟦yes{_CE}⟧{_CU}你好吗{_CE}{_CB}⟦很好{_CE}⟧"],
        },
        eos="<|END_OF_TURN_TOKEN|>",
        bos="<BOS_TOKEN>",
    ),
    "granite": GRANITE.family(
        {
            "one": [f"{_RU}hi<|end_of_text|>\n{_RA}⟦yes<|end_of_text|>⟧"],
            "turns": [
                f"{_RU}hi<|end_of_text|>\n{_RA}⟦yes<|end_of_text|>⟧\n{_RU}你好吗<|end_of_text|>\n{_RA}⟦很好<|end_of_text|>⟧",
            ],
        },
        eos="<|end_of_text|>",
    ),
    "olmo2": OLMO2.family(
        {
            "one": ["<|endoftext|><|user|>\nhi\n<|assistant|>\n⟦yes<|endoftext|>⟧"],
            "turns": [
                "<|endoftext|><|user|>\nhi\n<|assistant|>\n⟦yes<|endoftext|>⟧\n"
                "<|user|>\n你好吗\n<|assistant|>\n⟦很好<|endoftext|>⟧",
            ],
        },
        eos="<|endoftext|>",
        bos="<|endoftext|>",
    ),
    "deepseek": DEEPSEEK.family(
        {
            "one": [f"{_DB}<｜User｜>hi<｜Assistant｜>⟦yes{_DE}⟧"],
            "system": [f"{_DB}be kind<｜User｜>hi<｜Assistant｜>⟦yes{_DE}⟧"],
            "turns": [f"{_DB}<｜User｜>hi<｜Assistant｜>⟦yes{_DE}⟧<｜User｜>你好吗<｜Assistant｜>⟦很好{_DE}⟧"],
        },
        eos=_DE,
        bos=_DB,
    ),
    "glm4": GLM4.family(
        {
            "one": ["[gMASK]<sop><|user|>\nhi<|assistant|>\n⟦yes<|user|>⟧"],
            "system": ["[gMASK]<sop><|system|>\nbe kind<|user|>\nhi<|assistant|>\n⟦yes<|user|>⟧"],
            "turns": ["[gMASK]<sop><|user|>\nhi<|assistant|>\n⟦yes<|user|>⟧\n你好吗<|assistant|>\n⟦很好<|user|>⟧"],
        },
        eos="<|endoftext|>",
    ),
    "falcon": FALCON.family(  # nothing ends an answer there, so the tokenizer's end token does
        {
            "one": ["User: hi\n\nFalcon:⟦ yes<|endoftext|>⟧"],
            "turns": [
                "User: hi\n\nFalcon:⟦ yes<|endoftext|>⟧",
                "User: hi\n\nFalcon: yes\n\nUser: 你好吗\n\nFalcon:⟦ 很好<|endoftext|>⟧",
            ],
        },
        eos="<|endoftext|>",
    ),
    "qwen3": Family(
        QWEN3,
        [_IM],
        "<|im_end|>",
        {
            "one": [f"{_IM}user\nhi<|im_end|>\n{_IM}assistant\n⟦<think>\n\n</think>\n\nyes<|im_end|>⟧"],
            "thinking": [
                f"{_IM}user\nhi<|im_end|>\n{_IM}assistant\n⟦<think>\nhm\n</think>\n\nyes<|im_end|>⟧",
                f"{_IM}user\nhi<|im_end|>\n{_IM}assistant\nyes<|im_end|>\n{_IM}user\nok<|im_end|>\n"
                f"{_IM}assistant\n⟦<think>\nso\n</think>\n\nno<|im_end|>⟧",
            ],
        },
    ),
    "hermes": Family(
        HERMES,
        [_IM],
        "<|im_end|>",
        {
            "one": [f"{_IM}user\nhi<|im_end|>\n{_IM}assistant\n⟦yes<|im_end|>⟧"],
            "tools": [
                f"{_IM}system\n<tools>sky</tools><|im_end|>\n{_IM}user\nsky?<|im_end|>\n{_IM}assistant\n"
                f"⟦<tool_call>sky Rome</tool_call><|im_end|>⟧\n{_IM}tool\nblue<|im_end|>\n{_IM}assistant\n"
                "⟦It is blue.<|im_end|>⟧",
            ],
        },
    ),
    "harmony": Family(
        HARMONY,
        ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>"],
        "<|return|>",
        {
            "one": [f"{_HU}hi<|end|>{_HA}⟦{_HF}yes<|return|>⟧"],
            "turns": [
                f"{_HU}hi<|end|>{_HA}⟦{_HF}yes<|return|>⟧",
                f"{_HU}hi<|end|>{_HA}{_HF}yes<|end|>{_HU}你好吗<|end|>{_HA}⟦{_HF}很好<|return|>⟧",
            ],
            "thinking": [
                f"{_HU}hi<|end|>{_HA}⟦<|channel|>analysis<|message|>hm<|end|>{_HA}{_HF}yes<|return|>⟧",
                f"{_HU}hi<|end|>{_HA}{_HF}yes<|end|>{_HU}ok<|end|>{_HA}"
                f"⟦<|channel|>analysis<|message|>so<|end|>{_HA}{_HF}no<|return|>⟧",
            ],
        },
    ),
}
