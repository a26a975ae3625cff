"""Text of our own making, in English and Chinese, as tokens: what the toy model learns from.

A small grammar with weighted word lists writes documents. Every document has a topic, a handful of nouns that it
prefers, so that its words are about as predictable as those of real prose: some places leave one choice,
others a hundred. Everything is seeded; nothing here was copied from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["LANGUAGES", "document", "render", "repetitive"]

LANGUAGES = ("en", "zh")

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "N": "river bridge garden window engine letter kitchen market harbour mountain village teacher doctor "
        "farmer painter driver student neighbour engineer captain lamp table paper machine picture camera "
        "record message answer question plan method result report model network signal sensor battery "
        "station train ticket bicycle road forest lake island storm cloud winter summer morning evening "
        "bread coffee apple orange onion soup dinner bottle basket blanket jacket mirror clock hammer "
        "ladder fence roof wall door floor corner square street tower museum library school hospital office "
        "factory workshop garage cellar attic stage song poem novel chapter sentence word language story "
        "festival concert match game prize budget price customer contract meeting project budgeting deadline "
        "horse sheep cow goose fox owl salmon bee spider oak maple rose tulip meadow valley coast desert",
        "V": "repaired painted carried opened closed moved cleaned measured described photographed collected "
        "checked improved ignored followed passed watched remembered missed found lost bought sold borrowed "
        "returned recorded printed copied labelled tested replaced lifted covered filled emptied heated "
        "cooled designed planned presented discussed mentioned noticed visited left reached crossed avoided "
        "protected counted sorted explained finished started planted watered fed chased heard drew",
        "A": "old new small large quiet loud red green blue grey warm cold heavy light wooden broken bright "
        "dark narrow wide simple careful early late wet dry soft hard rough smooth cheap expensive famous "
        "hidden empty full local distant strange familiar modern ancient slow fast clean dusty round square",
        "D": "slowly quickly carefully quietly suddenly often rarely finally almost nearly twice together alone",
        "P": "near behind beside under above opposite inside outside beyond against towards past",
        "W": "yesterday today later afterwards meanwhile first then soon once sometimes usually again",
        "C": "because although while after before since until when",
        "M": "two three four five six seven eight nine ten twelve twenty forty several many few",
        "S": "Anna Boris Clara David Elena Felix Greta Hugo Irene Jonas Karin Lukas Maria Nils Olga Pavel",
    },
    "zh": {
        "N": "河流 大桥 花园 窗户 发动机 信件 厨房 市场 港口 高山 村庄 老师 医生 农民 画家 司机 学生 邻居 工程师 "
        "船长 台灯 桌子 报纸 机器 图片 相机 记录 消息 答案 问题 计划 方法 结果 报告 模型 网络 信号 传感器 电池 "
        "车站 火车 车票 自行车 公路 森林 湖泊 岛屿 风暴 云彩 冬天 夏天 早晨 傍晚 面包 咖啡 苹果 橙子 洋葱 热汤 "
        "晚饭 瓶子 篮子 毯子 外套 镜子 时钟 锤子 梯子 篱笆 屋顶 墙壁 大门 地板 角落 广场 街道 高塔 博物馆 图书馆 "
        "学校 医院 办公室 工厂 车间 车库 地窖 阁楼 舞台 歌曲 诗歌 小说 章节 句子 词语 语言 故事 节日 音乐会 比赛 "
        "游戏 奖品 预算 价格 顾客 合同 会议 项目 期限 马匹 羊群 奶牛 白鹅 狐狸 猫头鹰 鲑鱼 蜜蜂 蜘蛛 橡树 枫树 "
        "玫瑰 郁金香 草地 山谷 海岸 沙漠",
        "V": "修好 画出 搬走 打开 关上 移动 清洗 测量 描述 拍下 收集 检查 改进 忽略 跟随 经过 观察 记住 错过 找到 丢失 "
        "买下 卖掉 借来 归还 记录 打印 复制 标注 测试 更换 抬起 盖住 装满 倒空 加热 冷却 设计 规划 展示 讨论 提到 "
        "注意到 参观 离开 到达 穿过 避开 保护 清点 整理 解释 完成 开始 种下 浇灌 喂养 追赶 听见 画好",
        "A": "旧 新 小 大 安静 响亮 红色 绿色 蓝色 灰色 温暖 寒冷 沉重 轻便 木制 破损 明亮 昏暗 狭窄 宽阔 简单 仔细 "
        "潮湿 干燥 柔软 坚硬 粗糙 光滑 便宜 昂贵 著名 隐蔽 空荡 完整 本地 遥远 奇怪 熟悉 现代 古老 缓慢 快速 干净",
        "D": "慢慢地 很快 仔细地 悄悄地 突然 经常 很少 终于 几乎 差点 两次 一起 独自",
        "P": "旁边 后面 附近 下面 上面 对面 里面 外面 前面 中间 左边 右边",
        "W": "昨天 今天 后来 随后 同时 首先 然后 不久 有时 通常 再次 最后",
        "C": "因为 虽然 当 自从 如果 尽管 由于 只要",
        "M": "两 三 四 五 六 七 八 九 十 十二 二十 四十 几",
        "S": "小明 小红 老王 老李 张华 李娜 王芳 刘洋 陈静 杨帆 赵磊 黄丽 周涛 吴敏 徐强 孙悦",
    },
}

# A sentence is a list of slots; * marks nouns that follow the topic, other words stand for themselves.
_SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "the A N* V the N* . ",
        "W S V the A N* P the N* . ",
        "S and S V the N* D . ",
        "C the N* was A , S V M N* and the A N* . ",
        "it was a A N* with a A N* and a N* . ",
        "there were M N* P the A N* , and S D V them . ",
        "the N* of the N* is A , but the N* is A . ",
        "W , the N* that S V was A and A . ",
        "S V the N* C the A N* had V the N* . ",
        "nobody D V the N* P the N* . ",
    ),
    "zh": (
        "A 的 N* 被 S V 了 。 ",
        "W ， S 在 N* P V 了 A 的 N* 。 ",
        "S 和 S D V 了 N* 。 ",
        "C N* 很 A ， S V 了 M 个 N* 和 A 的 N* 。 ",
        "这 是 一个 A 的 N* ， 有 A 的 N* 和 N* 。 ",
        "N* P 有 M 个 N* ， S D V 了 它们 。 ",
        "N* 的 N* 很 A ， 但是 N* 更 A 。 ",
        "W ， S V 的 N* 又 A 又 A 。 ",
        "S V 了 N* ， C A 的 N* 已经 V 了 N* 。 ",
        "没有 人 D V N* P 的 N* 。 ",
    ),
}
_LINES = {"en": ("|", "-", "=", ":", "total", "page", "of"), "zh": ("|", "-", "=", "：", "合计", "第", "页")}


@lru_cache(maxsize=8)
def _list(language: str, kind: str) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Words of a kind and their cumulative probabilities, falling with the rank (Zipf-Mandelbrot)."""
    words = tuple(_WORDS[language][kind].split())
    weight = 1.0 / (np.arange(len(words)) + 8.0)
    return words, np.cumsum(weight / weight.sum())


def _picker(language: str, rng: np.random.Generator) -> Callable[[str], str]:
    nouns = _WORDS[language]["N"].split()
    topic: list[str] = [nouns[int(i)] for i in rng.permutation(len(nouns))[:12]]

    def pick(slot: str) -> str:
        if slot == "N*" and rng.random() < 0.6:
            return topic[int(12 * rng.random() ** 1.5)]
        kind = slot.rstrip("*")
        if kind not in _WORDS[language]:
            return slot
        words, cumulative = _list(language, kind)
        return words[min(int(np.searchsorted(cumulative, rng.random())), len(words) - 1)]

    return pick


def document(language: str, tokens: int, *, rng: np.random.Generator) -> list[str]:
    """Prose on one topic, as tokens (words and punctuation), at least as many as asked for."""
    pick = _picker(language, rng)
    forms = _SENTENCES[language]
    out: list[str] = []
    while len(out) < tokens:
        out += [pick(slot) for slot in forms[int(rng.integers(len(forms)))].split()]
    return out


def repetitive(language: str, tokens: int, *, rng: np.random.Generator) -> list[str]:
    """What breaks careless detectors: tables, rules, forms, and boilerplate that comes back word for word."""
    parts = {"table": _table, "form": _form, "refrain": _refrain}
    names = list(parts)
    out: list[str] = []
    while len(out) < tokens:
        out += parts[names[int(rng.integers(len(names)))]](language, rng)
    return out


def _table(language: str, rng: np.random.Generator) -> Iterator[str]:
    pick = _picker(language, rng)
    bar, dash, _, _, total, _, _ = _LINES[language]
    columns = int(rng.integers(2, 6))
    for row in range(int(rng.integers(5, 25))):
        yield bar
        for _ in range(columns):
            yield from ((dash,) * 8 if row == 1 else (pick("N*") if rng.random() < 0.3 else pick("M"),))
            yield bar
    yield from (total, bar, pick("M"))


def _form(language: str, rng: np.random.Generator) -> Iterator[str]:
    pick = _picker(language, rng)
    _, _, double, colon, _, page, of = _LINES[language]
    fields = [pick("N") for _ in range(int(rng.integers(3, 7)))]
    for _ in range(int(rng.integers(4, 12))):
        yield from (double,) * 20
        for name in fields:
            yield from (name, colon, pick("A"))
        yield from (page, pick("M"), of, pick("M"))


def _refrain(language: str, rng: np.random.Generator) -> Iterator[str]:
    chorus = document(language, int(rng.integers(20, 60)), rng=rng)
    for _ in range(int(rng.integers(3, 8))):
        yield from chorus
        yield from document(language, 8, rng=rng)


def render(tokens: list[str], language: str) -> str:
    """Tokens as readable text."""
    if language == "zh":
        return "".join(tokens)
    text = " ".join(tokens)
    for mark in ".,:":
        text = text.replace(f" {mark}", mark)
    return text
