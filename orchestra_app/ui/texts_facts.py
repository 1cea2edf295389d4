"""The texts beside a finished trace's bill: adherence, rewards and its group."""

ENGLISH = {
    "facts_title": "Wishes and rewards",
    "facts_adherence": "Adherence: how far the calls followed the sliders",
    "facts_rules": "Hard rules (excluded vendors, sliders at 0)",
    "facts_no_violation": "kept, 0 violations",
    "facts_violations": "violated by this many calls: {count}",
    "facts_reward_product": "Reward: right × efficient × as you wished",
    "facts_reward_paper": "Reward of the paper (ToolOrchestra, Eq. 2)",
    "facts_no_reward": "no verdict",
    "facts_no_group": (
        "A reward compares traces of one question within a group: this trace belongs to none. Sweeps, "
        "training and forks make groups."
    ),
    "facts_only_one": "A reward compares traces within a group: this is the only one of its group here.",
    "facts_group": "Its group: {count} traces of one question",
    "facts_compared": "The reward in the table is the first of the two; traces without a verdict earn none.",
    "facts_label_first": "Say of one of them whether it is correct, and it has a reward.",
    "facts_cut": "The group has {count} traces; {shown} of them are compared here.",
    "facts_this": "this trace",
    "facts_which": "Trace",
    "facts_cost": "Cost",
    "facts_seconds": "Time",
    "facts_verdict": "Verdict",
    "facts_reward": "Reward",
    "facts_followed": "Adherence",
}

CHINESE = {
    "facts_title": "意愿与奖励",
    "facts_adherence": "遵循度：调用在多大程度上符合滑块",
    "facts_rules": "硬性规则（排除的厂商、调到 0 的滑块）",
    "facts_no_violation": "已遵守，0 次违反",
    "facts_violations": "违反规则的调用次数：{count}",
    "facts_reward_product": "奖励：正确 × 高效 × 符合意愿",
    "facts_reward_paper": "论文的奖励（ToolOrchestra，公式 2）",
    "facts_no_reward": "尚无判定",
    "facts_no_group": "奖励只在同一问题的一组轨迹之间比较：这条轨迹不属于任何组。扫描、训练和分叉会产生组。",
    "facts_only_one": "奖励只在组内比较：这里只有该组的这一条轨迹。",
    "facts_group": "所在的组：同一问题的 {count} 条轨迹",
    "facts_compared": "表中的奖励是上面两种中的第一种；没有判定的轨迹没有奖励。",
    "facts_label_first": "判定其中一条是否正确，它就有奖励。",
    "facts_cut": "该组共有 {count} 条轨迹，这里比较其中 {shown} 条。",
    "facts_this": "本轨迹",
    "facts_which": "轨迹",
    "facts_cost": "费用",
    "facts_seconds": "时间",
    "facts_verdict": "判定",
    "facts_reward": "奖励",
    "facts_followed": "遵循度",
}
