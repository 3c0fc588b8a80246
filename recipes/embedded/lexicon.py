"""The words the generator draws from: invented people, places and things, in English and Chinese.

Everything here is made up for this recipe. Names are common given names without surnames of
real persons; places are free combinations; nothing is taken from another text.
"""


def words(text: str) -> tuple[str, ...]:
    """Split a list of words at its spaces."""
    return tuple(text.split())


def phrases(text: str) -> tuple[str, ...]:
    """Split a list of phrases at its semicolons."""
    return tuple(text.split(";"))


LANGUAGES = ("en", "zh")

INTENTS = ("booking", "order", "complaint", "reminder", "meeting", "delivery", "cancel")

#: The keys of an answer, in the order in which they are written.
KEYS = (
    "intent",
    "person",
    "task",
    "topic",
    "problem",
    "item",
    "quantity",
    "unit",
    "amount",
    "currency",
    "people",
    "date",
    "day",
    "time",
    "place",
    "order",
)

NAMES_EN = words(
    "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Karen Leo Mia Noah Olivia Paul Rosa Sam Tara Victor "
    "Wendy Yara Zoe Adam Bella Carl Dora Eric Fiona George Hanna Ivan Julia Kevin Lena Martin Nina Oscar Petra Quinn "
    "Robert Sofia Thomas Ursula Vera Walter Xenia Amir Bruno Celia Diana Elias Flora Gavin Helen Isaac Jonas Kira "
    "Lucas Maya Nora Otto Pia Ralph Simon Tina Uma Vince Willa Yusuf Aisha Boris Cora Dylan Edith Frank Gina Hugo "
    "Irene James Kate Linda Marco Nadia Owen Polly Rita Stella Tobias Viola Wanda Alice Bert Chloe Daniel Elena"
)

SURNAMES_ZH = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN_ZH = "芳伟娜敏静强磊军洋勇艳杰涛明超秀霞平刚桂英华玉萍红玲芬燕彩兰凤洁梅琳素云莲真环雪荣爱妹香月莺媛"
TITLES_ZH = words("先生 女士 老师 经理")

PLACE_FIRST_EN = words(
    "Blue Green Red Golden Silver Copper White Black Quiet Old Little Sunny Velvet Amber Crystal Maple Cedar Willow "
    "Olive Lemon Cherry Harbor River Garden Lucky Royal Happy Hidden Stone Winter"
)
PLACE_SECOND_EN = words(
    "Lantern Kettle Door Table Spoon Garden House Corner Bridge Anchor Oven Fox Owl Swan Rabbit Bear Whale Rose Leaf "
    "Star Moon Bell Crown Lamp Mill Barn Tower Cellar Terrace Fountain"
)

PLACE_FIRST_ZH = words(
    "云朵 青山 白鹭 竹林 春风 月亮 星光 海棠 梧桐 金桥 银杏 听雨 江南 花园 阳光 "
    "红叶 老街 石榴 桂花 明珠 蓝天 荷塘 松树 小城 彩虹"
)
PLACE_SECOND_ZH = words("餐厅 茶馆 咖啡馆 饭店 酒楼 小馆 面馆 书店")
ROOMS_ZH = words("会议室 办公室 教室 大厅")

#: Things sold by a measure, with the units that suit them.
GOODS_EN = {
    "kg g": "rice flour sugar coffee tea cheese butter apples pears tomatoes potatoes onions carrots grapes nuts "
    "beef chicken salmon mushrooms strawberries",
    "l bottle": "milk juice oil vinegar water lemonade cider honey syrup soap",
    "box pack": "pencils candles cookies eggs envelopes gloves screws batteries napkins markers tiles bulbs",
    "": "lamps chairs towels notebooks mugs plates cushions bags umbrellas blankets clocks mirrors baskets shirts "
    "scarves keyboards headphones tables bowls pillows",
}
GOODS_ZH = {
    "kg g": "大米 面粉 白糖 咖啡豆 茶叶 奶酪 苹果 梨 西红柿 土豆 洋葱 胡萝卜 葡萄 核桃 牛肉 鸡肉 三文鱼 蘑菇 草莓 香蕉",
    "l bottle": "牛奶 果汁 食用油 醋 矿泉水 柠檬水 酱油 蜂蜜 糖浆 洗手液",
    "box pack": "铅笔 蜡烛 饼干 鸡蛋 信封 手套 螺丝 电池 餐巾纸 马克笔 瓷砖 灯泡 口罩",
    "": "台灯 椅子 毛巾 笔记本 杯子 盘子 靠垫 背包 雨伞 毯子 闹钟 镜子 篮子 衬衫 围巾 键盘 耳机 桌子 碗 枕头",
}

#: One thing that a complaint, delivery or cancellation may be about.
THING_EN = words(
    "lamp chair towel notebook mug kettle cushion bag umbrella blanket clock mirror basket shirt scarf keyboard "
    "toaster table bowl pillow printer jacket bike phone heater camera ladder fan sofa monitor"
)
THING_ZH = words(
    "台灯 椅子 毛巾 笔记本 杯子 水壶 靠垫 背包 雨伞 毯子 闹钟 镜子 篮子 衬衫 围巾 键盘 烤箱 桌子 饭碗 "
    "枕头 打印机 外套 自行车 "
    "手机 电暖器 相机 梯子 风扇 沙发 显示器"
)

UNITS_EN = {
    "kg": ("kg", "kilos", "kilograms"),
    "g": ("g", "grams"),
    "l": ("l", "liters", "litres"),
    "bottle": ("bottles",),
    "box": ("boxes",),
    "pack": ("packs", "packets"),
}
UNITS_ZH = {
    "kg": ("公斤", "千克", "kg"),
    "g": ("克", "g"),
    "l": ("升", "公升"),
    "bottle": ("瓶",),
    "box": ("盒", "箱"),
    "pack": ("包", "袋"),
}

PROBLEMS_EN = {
    "broken": ("arrived broken", "is broken", "does not work", "stopped working", "has a crack", "came damaged"),
    "late": ("is late", "has still not come", "should have been here long ago", "is overdue"),
    "wrong": ("is the wrong color", "is the wrong size", "is not what I ordered", "is the wrong model"),
    "missing": ("was missing from the box", "was not in the parcel", "is missing", "was left out of the parcel"),
}
PROBLEMS_ZH = {
    "broken": ("收到时就坏了", "坏了", "不能用", "用了一次就不工作了", "有裂缝", "破损了"),
    "late": ("迟迟没到", "到现在还没送来", "早就该到了", "已经晚了好几天"),
    "wrong": ("颜色不对", "尺寸不对", "不是我订的那款", "发错了型号"),
    "missing": ("不在箱子里", "包裹里没有", "漏发了", "少发了"),
}

TASKS_EN = phrases(
    "water the plants;pay the rent;feed the cat;take out the trash;buy fresh bread;charge the camera;wash the car;"
    "return the library books;renew the passport;book the train tickets;clean the kitchen;walk the dog;"
    "send the report;print the forms;pick up the parcel;back up the laptop;order new filters;check the heating;"
    "sign the contract;cancel the gym card;iron the shirts;defrost the freezer;fix the bike;update the website;"
    "pack the suitcase;take the medicine;lock the back door;buy stamps;plan the menu;sort the photos"
)
TASKS_ZH = phrases(
    "给花浇水;交房租;喂猫;倒垃圾;买面包;给相机充电;洗车;还图书馆的书;换护照;订火车票;打扫厨房;遛狗;发报告;打印表格;取包裹;"
    "备份电脑;订购滤芯;检查暖气;签合同;退健身卡;熨衬衫;清理冰箱;修自行车;更新网站;收拾行李;吃药;锁后门;买邮票;安排菜单;整理照片"
)

TOPICS_EN = phrases(
    "the budget;the new website;the summer sale;hiring;the annual plan;the survey results;the office move;the launch;"
    "the training week;the contract;the logo design;customer feedback;the safety rules;the travel costs;"
    "the delivery schedule;the exhibition;the price list;the test results;the holiday rota;the school trip"
)
TOPICS_ZH = phrases(
    "预算;新网站;夏季促销;招聘;年度计划;调查结果;办公室搬迁;产品发布;培训安排;合同;标志设计;客户反馈;安全制度;差旅费用;"
    "送货计划;展览;价目表;测试结果;值班安排;春游"
)
