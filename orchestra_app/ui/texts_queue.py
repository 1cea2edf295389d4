"""The texts of the queue of traces to label."""

ENGLISH = {
    "queue_find": "Find",
    "queue_label": "Label",
    "queue_known": "The right answer, as far as it is known: {gold}",
    "queue_skip": "Skip  S",
    "queue_undo": "Undo the last  U",
    "queue_kept": "Kept: {verdict}. Next one.",
    "queue_skipped": "Skipped; it comes again at the end.",
    "queue_taken_back": "Taken back: label it anew.",
    "queue_no_undo": "There is no verdict from this queue left to take back. One from before the server was "
    "started anew can be changed on its trace, under Find.",
    "queue_progress": "Progress",
    "queue_you": "You",
    "queue_all": "All",
    "queue_done": "{done} of {total} done · {left} left",
    "queue_second": "Waiting for a second person: {number}",
    "queue_agreement": "Agreement",
    "queue_kappa": "Cohen's κ {kappa} (95 %: {low} to {high}) · n = {number} pairs · {share} the same",
    "queue_kappa_none": "κ is not known yet: {share} of the traces are served to two people, and the "
    "{number} pairs of verdicts so far do not suffice. It takes two people and different verdicts.",
    "queue_none_yet": "There is nothing to label yet. Ask a question; its answer then waits here.",
    "queue_none_done": "Everything is labelled. Thank you.",
    "queue_none_second": "You have labelled all you can. {number} traces wait for a second person.",
    "queue_none_narrowed": "Nothing is left to label with these filters. Loosen one of them.",
    "queue_guidelines": "Guidelines",
    "queue_guidelines_usual": """\
Judge only whether **the final answer is right**, not how it was found.

- **Correct**: it means the same as the right answer. Another wording, notation, unit or a small difference \
of rounding is fine.
- **Incorrect**: anything missing, contrary or merely close.
- **Unsure**: you cannot tell within a few minutes. Rather unsure than guessed.

If you know the right answer, type it. Say in the note what made you decide.

**Who labels what.** On a machine of one's own, everybody who can open the page labels every trace. On a \
shared page you are served your own traces, and if you are signed in also those whose owners consented to \
share them, without being told who asked; administrators are served all. Some traces are served to two \
people, who do not see each other's verdict, to measure how far people agree.
""",
    "queue_decide": "Guidelines and rules (administrators)",
    "queue_text": "Guidelines, in Markdown",
    "queue_text_info": "Empty: the usual ones. HTML and pictures are not shown.",
    "queue_share": "Percent of the traces that two people label",
    "queue_anybody": "People who are not signed in may label what others consented to share",
    "queue_save": "Save",
    "queue_saved": "Saved.",
    "queue_not_admin": "Only an administrator of this installation can change this.",
    "queue_long": "Shorten the guidelines to {limit} characters at most.",
    "queue_bad_share": "Give a share from 0 to 100 percent.",
}
CHINESE = {
    "queue_find": "查找",
    "queue_label": "标注",
    "queue_known": "目前所知的正确答案：{gold}",
    "queue_skip": "跳过  S",
    "queue_undo": "撤销上一个  U",
    "queue_kept": "已保存：{verdict}。下一个。",
    "queue_skipped": "已跳过，最后会再次出现。",
    "queue_taken_back": "已撤回，请重新标注。",
    "queue_no_undo": "此队列中没有可以撤回的判定了。服务器重新启动之前的判定，可在“查找”中打开其轨迹修改。",
    "queue_progress": "进度",
    "queue_you": "你",
    "queue_all": "全部",
    "queue_done": "已完成 {done} / {total} · 还剩 {left}",
    "queue_second": "{number} 条在等第二个人。",
    "queue_agreement": "一致性",
    "queue_kappa": "Cohen κ {kappa}（95 %：{low} 至 {high}）· n = {number} 对 · {share} 相同",
    "queue_kappa_none": "κ 尚不可知：{share} 的轨迹会分给两个人，目前的 {number} 对判定还不够。"
    "需要两个人和不同的判定。",
    "queue_none_yet": "还没有可标注的内容。先提一个问题，它的答案会在这里等待判定。",
    "queue_none_done": "全部标注完毕，谢谢。",
    "queue_none_second": "你能标注的都完成了。{number} 条轨迹在等第二个人。",
    "queue_none_narrowed": "在这些筛选条件下没有剩余。请放宽其中一个。",
    "queue_guidelines": "标注指南",
    "queue_guidelines_usual": """\
只判断**最终答案是否正确**，不评价过程。

- **正确**：与正确答案意思相同。措辞、记法、单位不同或四舍五入的小差异都可以。
- **错误**：缺少内容、相互矛盾，或只是接近。
- **不确定**：几分钟内无法判断。宁可不确定，也不要猜。

如果知道正确答案，请填写。在备注里说明判断的依据。

**谁标注什么。** 在自己的机器上，能打开页面的人可以标注所有轨迹。在共享页面上，你会得到自己的轨迹；\
登录后还会得到其主人同意分享的轨迹，但不会告知是谁提的问；管理员会得到全部。部分轨迹会分给两个人，\
彼此看不到对方的判定，用来衡量人与人之间的一致性。
""",
    "queue_decide": "指南与规则（管理员）",
    "queue_text": "指南（Markdown）",
    "queue_text_info": "留空则用默认指南。不显示 HTML 和图片。",
    "queue_share": "由两个人标注的轨迹百分比",
    "queue_anybody": "未登录的人也可以标注他人同意分享的轨迹",
    "queue_save": "保存",
    "queue_saved": "已保存。",
    "queue_not_admin": "只有本站管理员可以更改。",
    "queue_long": "请将指南缩短到最多 {limit} 个字符。",
    "queue_bad_share": "请给出 0 到 100 之间的百分比。",
}
