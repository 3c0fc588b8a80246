"""Sentence frames of the messages: one place for all wordings.

``[a|b|]`` chooses one of the wordings, ``{slot}`` is filled by :mod:`messages`. A message is an
opening, one core sentence and up to two further sentences, in an order that varies.
"""

#: Core sentences by language and intent.
CORES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "booking": (
            "[I'd like to|I would like to|Can I|Could I|May I] [book|reserve] a table for {people} {when}[, please|].",
            "[Please|Could you please|Kindly] [book|reserve|hold] a table at {place} for {people} {when}.",
            "We [need|want|are looking for] [a table|seats|places] for {people} {when} at {place}.",
            "[Is there|Do you have] [a free table|room|space] for {people} {when}?",
            "A [table|booking|reservation] for {people} at {place} {when}[, please|].",
            "[Put us down|Reserve|Book us in] for {when_bare}, {people} [in all|altogether|of us].",
        ),
        "order": (
            "[I'd like to order|I want to buy|Please send me|Can I get|I need|Could you send] {goods}[, please|].",
            "[Please put|Could you put] {goods} on my [list|account|bill].",
            "[We need|We would like|We'll take|Send us] {goods}, to arrive {when}.",
            "[My order|This week's order|The order] is {goods}[, up to {money}|, for {money}|].",
            "{goods} [please|for us, please], [I can pay|we pay|the price should be] {money}.",
            "[Can you|Could you] [deliver|bring] {goods} to {place} {when}?",
        ),
        "complaint": (
            "The {thing} [I bought|I ordered|from your shop|you sent me] {problem}.",
            "[I am not happy|I'm disappointed|Sorry, but I have to complain]: the {thing} {problem}.",
            "[My|Our] {thing} {problem}, [and I paid {money}|and it cost {money}|please look into it|nobody answers].",
            "The {thing} from order {order} {problem}.",
            "[I want|I'd like] {money} back, because the {thing} {problem}.",
            "[There is a problem with order {order}|Order {order} went wrong]: the {thing} {problem}.",
        ),
        "reminder": (
            "[Remind me|Please remind me|Can you remind me] to {task} {when}.",
            "[Don't let me forget|I must not forget|Help me remember] to {task} {when}.",
            "[Remind|Please remind|Could you remind] {person} to {task} {when}.",
            "{When}: {task}. [Please remind me|Set a reminder|Make a note of it].",
            "[Set a reminder|Add a reminder|I need a reminder] for {when_bare}: {task}.",
            "{person} [has to|should|needs to] {task} {when}, [send a reminder|please remind us].",
        ),
        "meeting": (
            "[Let's meet|Can we meet|Shall we meet|We should meet] {when} [to talk about|to discuss|about] {topic}.",
            "[Set up|Schedule|Arrange|Plan] a meeting with {person} {when} about {topic}.",
            "[The meeting|Our meeting|The talk] about {topic} is {when} [at {place}|in {room}].",
            "{person} [wants|would like] to [discuss|talk about] {topic} {when}.",
            "[Could|Can] you join a [call|meeting] about {topic} {when}? "
            "[{person} will be there|{people} will come|It is in {room}].",
            "[Invite|Please invite] {person} to a meeting about {topic} {when}[ in {room}|].",
        ),
        "delivery": (
            "[Please deliver|Can you deliver|Could you bring] order {order} to {place} {when}.",
            "[Where is|When will you bring|What happened to] order {order}? [It should go|Please bring it] to {place}.",
            "[The courier|The driver|Your driver] can [leave|drop] the {thing} at {place} {when}.",
            "[Bring|Send] the {thing} to {place} {when}[, please|].",
            "[I moved|We moved|New address]: please deliver order {order} to {place}.",
            "[I will be|We will be|Someone is] at {place} {when} to take the {thing}.",
        ),
        "cancel": (
            "[Please cancel|I want to cancel|I need to cancel|Can you cancel] order {order}[, the {thing}|].",
            "[Cancel|Please cancel|Drop] [my table|our table|the booking] at {place} {when}.",
            "[We can't|I can't|We won't] come {when}, [please cancel|so cancel] the table for {people}.",
            "[I no longer need|I changed my mind about|Please take back] the {thing} from order {order}.",
            "[Call off|Cancel] the meeting with {person} {when}.",
            "[Sorry|I am sorry], [no need for|please stop] order {order} [any more|], [refund {money}|I paid {money}].",
        ),
    },
    "zh": {
        "booking": (
            "[我想|我要|我们想|请帮我|麻烦帮我]订{when}{people}的[位子|座位|桌子]。",
            "[请|麻烦|能不能]在{place}[预订|订|留]一张{people}的桌子，{when}[到|用餐|]。",
            "{when}，{people}，[想在|要在|打算在]{place}[吃饭|聚餐|聚会]，[请留位|请安排|帮忙订一下]。",
            "{when}[还有|有没有]{people}的[空位|位子|包间][吗|呢]？",
            "[预订|订位|订座]：{place}，{people}，{when}。",
            "[我们一共|一共|总共]{people}，[想订|要订]{when}的[位子|桌子]。",
        ),
        "order": (
            "[我想买|我要买|我想订|请给我送|我需要|来]{goods}[，谢谢|]。",
            "[请把|麻烦把]{goods}[记在我的账上|加到我的单子里]。",
            "[我们需要|我们要|给我们送]{goods}，{when}[送到|要用|到货]。",
            "[这次|本周|今天][下单|订货]{goods}[，预算{money}|，一共{money}|]。",
            "[要|订]{goods}，[我付|我们出|价格]{money}。",
            "[能不能|可以|请]{when}[送|带]{goods}到{place}？",
        ),
        "complaint": (
            "[我买的|我订的|你们店的|你们寄来的]{thing}{problem}。",
            "[我很不满意|我很失望|我要投诉]，{thing}{problem}。",
            "[我的|我们的]{thing}{problem}，[我付了{money}|花了{money}|请处理一下|没人回复]。",
            "订单{order}的{thing}{problem}。",
            "{thing}{problem}，[请退我|我要求退款|请退还]{money}。",
            "[订单{order}有问题|订单{order}出错了]：{thing}{problem}。",
        ),
        "reminder": (
            "[提醒我|请提醒我|记得提醒我]{when}{task}。",
            "[别让我忘了|我不能忘记|帮我记住]{when}{task}。",
            "[提醒|请提醒|麻烦提醒]{person}{when}{task}。",
            "{when}要{task}，[请提醒我|设个提醒|帮我记一下]。",
            "[设一个|加一个|我需要一个]{when}的提醒：{task}。",
            "{person}{when}[要|应该|得]{task}，[发个提醒|请提醒一下]。",
        ),
        "meeting": (
            "[我们|咱们]{when}[见面|碰头|开会][谈谈|讨论|聊聊]{topic}[吧|好吗|]。",
            "[安排|约|预定][一下|]{when}和{person}开会，[讨论|谈]{topic}。",
            "[关于{topic}的会|{topic}的会议][在|定在|改到]{when}，[地点|就在|在]{room}。",
            "{person}[想|希望]{when}[讨论|谈谈|聊聊]{topic}。",
            "[你能|可以]参加{when}关于{topic}的[会议|电话会]吗？[{person}也来|{people}参加|在{room}]。",
            "[邀请|请邀请|通知]{person}{when}[到{room}|]开{topic}的会。",
        ),
        "delivery": (
            "[请把|麻烦把|能不能把]订单{order}{when}送到{place}。",
            "订单{order}[在哪里|什么时候到|怎么还没到]？[请送到|应该送到]{place}。",
            "[快递员|司机|送货员]可以{when}把{thing}放在{place}。",
            "[请|]{when}[把|将]{thing}[送到|寄到]{place}。",
            "[我搬家了|我们搬家了|地址变了]，订单{order}请送到{place}。",
            "{when}[我在|我们在|有人在]{place}[收|等着收]{thing}。",
        ),
        "cancel": (
            "[请取消|我要取消|我想取消|能不能取消]订单{order}[，就是{thing}|]。",
            "[请取消|取消|退掉]{when}在{place}的[位子|桌子|预订]。",
            "[我们|我]{when}来不了了，[请取消|取消]{people}的桌子。",
            "订单{order}的{thing}[我不要了|不需要了|请退掉]。",
            "[取消|请取消]{when}和{person}的会。",
            "[抱歉|不好意思]，订单{order}[不用发了|不要了]，[请退|我付了]{money}。",
        ),
    },
}

#: Sentences that may follow the core, with the slot each one fills.
TAILS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "person": (
            "This is {person}.", "My name is {person}.", "{person} here.", "The name is {person}.",
            "It's for {person}.",
            "Regards, {person}", "Thanks, {person}", "Best wishes, {person}",
        ),
        "order": ("The order number is {order}.", "Order {order}.", "It is order no. {order}.", "See order {order}."),
        "money": ("I paid {money}.", "The bill was {money}.", "It cost {money}.", "The price was {money}."),
        "plain": (
            "Thanks a lot.", "Thank you!", "Please confirm.", "That would be great.", "Hope that works.", "No hurry.",
            "Let me know.", "Have a nice day.", "It is a little urgent.", "Many thanks in advance.",
        ),
    },
    "zh": {
        "person": (
            "我是{person}。", "我叫{person}。", "这里是{person}。", "姓名：{person}。", "联系人{person}。",
            "是给{person}的。",
        ),
        "order": ("订单号是{order}。", "订单号：{order}。", "单号{order}。", "请查订单{order}。"),
        "money": ("我付了{money}。", "账单是{money}。", "花了{money}。", "价格是{money}。"),
        "plain": (
            "谢谢。", "多谢！", "请确认一下。", "麻烦您了。", "不着急。", "请回复我。",
            "有点急。", "祝好。", "辛苦了。", "先谢谢了。",
        ),
    },
}  # fmt: skip

#: Greetings before the message; the empty one is the commonest.
OPENINGS = {
    "en": ("", "", "", "", "Hi, ", "Hello, ", "Good morning. ", "Hi there! ", "Dear team, ", "Good evening, "),
    "zh": ("", "", "", "", "你好，", "您好，", "早上好，", "请问，", "各位好，", "打扰一下，"),
}

#: Which further facts suit an intent.
EXTRAS = {
    "booking": ("person",),
    "order": ("person",),
    "complaint": ("person", "order", "money"),
    "reminder": (),
    "meeting": (),
    "delivery": ("person",),
    "cancel": ("person",),
}
