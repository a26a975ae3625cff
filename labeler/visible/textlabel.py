"""Whether a short piece of text is a label: whether it says that AI made the text it stands in.

A title, a sentence or a law *about* AI-generated content uses the same words. What tells a label is its form. It is the
whole of a line, a bracket or a sentence; it names this text or nothing ("本文由AI生成", "AI-generated content"); what
follows is nothing, a disclaimer, a name or a date. In Chinese both elements of GB 45438-2025 5.1 are asked for. Denials
("not AI-generated", 非AI生成), questions and reported speech ("..., he claimed") are no labels.

>>> [words_of_label(t) for t in ("> 本回答由AI生成，仅供参考", "如何识别AI生成的内容", "AI生成内容标识办法")]
['本回答由AI生成,仅供参考', '', '']
>>> [words_of_label(t) for t in ("*This text was written by AI.*", "How to spot AI-generated content")]
['This text was written by AI', '']
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["words_of_label"]

_AROUND = re.compile(r"^[\W_]+|[\W_]+$")
"""Punctuation, signs of Markdown and emoji."""
_QUESTION = re.compile(r"\?|[吗呢]$|如何|怎|什么|为何|谁|哪|是否")
_REPORTED = re.compile(
    r"\b(?:said|says|claim(?:ed|s)?|would say|argue[ds]?|told \w+|asked|insist(?:ed|s)?)$", re.IGNORECASE
)
_LEAD = (
    r"(?:(?:(?:作者|免责|特别|内容|报告|AI)? ?(?:声明|提示|说明|标识|注意|备注|标签)|注|来源|作者"
    r"|(?:AI )?(?:note|notice|disclaimer|disclosure|label|source|author)|editor's note) ?: ?)?"
)

_FEW = r"[^,。;:!、]{0,12}?"
_MAKER = r"(?:人工智[能慧]|(?<![A-Za-z])AI(?:GC)?(?![A-Za-z]))"
_MADE = (
    rf"(?:{_MAKER}[^,。;:!、的能会不可]{{0,12}}?(?:生成合成|生成|合成)"
    rf"|生成式 ?{_MAKER}[^,。;:!、的能会不可]{{0,12}}?(?:创作|撰写|写作|编写|制作|完成|输出))"
)
_WORK = (
    r"(?:内容|文本|文字|文章|文案|图片|图像|画面|音频|视频|语音|音乐|作品|结果|摘要|总结|回答|回复|答案|信息"
    r"|数据|代码|翻译|译文|报告|草稿|素材|资料)"
)
_THIS = rf"(?:本|此|该|以上|以下|上述|下述|全文|正文|这[是段篇条份张些个]|部分|疑似|含|包含|{_WORK})"
_ABOUT = (
    r"(?!.{0,20}?(?:研究|介绍|讨论|探讨|分析|解读|说明|要求|规定|关于|谈|识别|检测|鉴别|辨|判断|证明|怀疑"
    r"|禁|反对))"
)
_BY = r"(?:由|系|为|是|经|含有?|包含|(?:使用|利用|借助|采用|通过|基于)了?)"
_NOT = r"(?:非|不|没有?|未经|未使用|未用|未被|无)(?:是|由|用|使用|经过?|通过|任何|含|被)*"
_NAME = (
    r"(?!.{0,8}?(?:识别|鉴别|辨|检测|判断|关于|谈|论|警惕|防|反|禁|让|教|用|被|我|你|他|看|对|与|和|的))"
    r"[^\W\d_]{1,8}?"
)
_CAUTION = (
    r"(?:仅|供|请|有|不代表|不构成|不保证|非|未|注意|谨慎|勿|切勿|可能|或有?|经|由|内容|建议|如有|\d|©|@"
    r"|this |AI[ -]?generated)"
)
_CHINESE = re.compile(
    rf"{_LEAD}(?:"
    rf"{_ABOUT}(?:(?:{_THIS}{_FEW}|[^\W\d_]{{2,4}}?{_WORK}){_BY}{_FEW}|{_THIS}{_WORK}? ?){_MADE}"
    rf"(?:的?{_WORK}|技术)?的?(?:$|(?:[ ,;:、·|(/—–-]|并|且|而成|后[,经])[^。]*)"
    rf"|(?:由|系|经){_MADE}[ ,;·|(/—–-][^。]*"
    rf"|(?:(?:由|系|经)?{_MADE}(?:的?{_WORK})?|{_NAME} ?{_MADE}|(?:使用|利用|借助|采用|通过){_MADE}(?:而成)?)"
    rf"(?:(?:仅|请|不代表)[^。]*|[ ,;:·|(/—–-]+{_CAUTION}[^。]*)?"
    r")",
    re.IGNORECASE,
)
_DENIED = re.compile(rf"{_NOT} ?{_MAKER}", re.IGNORECASE)

_KIND = (
    r"(?:content|text|article|post|page|site|website|image|picture|photo|illustration|audio|video|music|voice|speech"
    r"|summary|overview|response|answer|reply|message|output|result|translation|transcript|caption|description"
    r"|report|analysis|information|document|story|script|code|material|media|work|email|review|draft|chapter|book|newsletter)"
)
_WHOLE = r"(?:(?:fully|entirely|wholly|completely|partly|partially|mostly|largely|automatically|in part) )?"
_VERB = r"(?:generated|created|written|produced|made|composed|drafted|authored|synthesi[sz]ed)"
_ADJECTIVE = rf"{_WHOLE}(?:AI|artificial[ -]intelligence|machine)[ -]{_VERB}"
_PASSIVE = (
    rf"{_WHOLE}{_VERB} {_WHOLE}(?:by|with|using|via|through) (?:the (?:help|assistance|aid|use) of )?(?:an? |our )?"
    r"(?:generative )?(?:AI|artificial intelligence)(?: \(AI\))?"
    r"(?: (?:language |image |writing |coding )?(?:models?|agents?|assistants?|assistance|tools?|systems?|chatbots?"
    r"|technology|software))?"
)
_SUBJECT = (
    r"(?:(?:this|these) (?:(?!not |no |never )[\w-]+ ){0,3}"
    r"|(?:(?!how|why|when|if|whether|what|where|which|no|not|none|most|unless|because|that|since|once|while)[\w-]+ )?"
    r"(?:(?:this|these|the|all|some|parts?|portions?|sections?|of|on|in|above|following|entire|whole"
    rf"|{_KIND}s?) )+)"
)
_IS = r"(?:is|are|was|were|has been|have been|may be|may have been|contains?|includes?|may contain|may include) "
_AFTER = (
    r"(?:$| ?[,;:·|(/—–-].*| (?:and|but|with|using|by|on|in|at|for|from|via|to|under|without|based"
    r"|as|so|during|after|intended)\b.*)"
)
_ADVICE = (
    r"(?:[ ,;:·|(/—–-]+(?:for reference|may|might|can|could|please|check|verify|review|not|no|do|don't|use|edited"
    r"|human|un\w+|without|\d|©|AI ?生成|人工智能).*| (?:and|but) (?:may|might|can|could|is|was|has|should|not"
    r"|reviewed|edited|checked|unverified).*| may .*(?:incorrect|inaccura|error|mistake|wrong).*)?"
)
_ENGLISH = re.compile(
    rf"{_LEAD}(?:"
    rf"{_SUBJECT}{_IS}(?:an? |some )?(?:{_ADJECTIVE}(?: {_KIND}s?)?|{_PASSIVE}){_AFTER}"
    rf"|(?:{_ADJECTIVE}(?: {_KIND}| (?:by|with|using|via|from) .{{1,40}})?|(?:(?:this )?{_KIND} )?{_PASSIVE}){_ADVICE}"
    r")",
    re.IGNORECASE,
)


def words_of_label(text: str) -> str:
    """The words of a label, as NFKC and without punctuation and signs of Markdown around them; "" if it is none.

    Args:
        text: a whole line, the words in a bracket, or a sentence; at most a few hundred characters.
    """
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    if _QUESTION.search(text):
        return ""
    words = _AROUND.sub("", text)
    plain = words.replace("’", "'")
    if _REPORTED.search(plain):
        return ""
    if _CHINESE.fullmatch(plain):
        return "" if _DENIED.search(plain) else words
    return words if _ENGLISH.fullmatch(plain) else ""
