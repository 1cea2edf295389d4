"""The texts of consent, export, import and deletion."""

ENGLISH = {
    "exchange_consent": "Others may use this trace for research and training",
    "exchange_notice_title": "What is kept, and what for",
    "exchange_notice": "Every run is kept as a trace: the question, the settings, each call with its result "
    "and cost, the answer and what people say of it, with a random name for this browser or your login. It "
    "is kept so that you can find, compare and label it. Without the tick it is never exported for others, "
    "and only you and the administrators of this page see it. You can delete a trace where it is open in the "
    "Traces tab, and everything of yours under "
    "*Export, import, delete* there. What was exported before cannot be called back.",
    "exchange_title": "Export, import, delete",
    "exchange_format": "Format",
    "exchange_jsonl": "JSONL: whole traces",
    "exchange_parquet": "Parquet: whole traces as a table",
    "exchange_toolorchestra": "ToolOrchestra: training rows",
    "exchange_sft": "Chats for supervised fine-tuning: right answers only",
    "exchange_shared": "For sharing: only with consent, people as numbers",
    "exchange_mine": "I consent for all that was asked without a login, here or where it was imported from",
    "exchange_make": "Make the file",
    "exchange_file": "Download",
    "exchange_hint": "The filters above apply.",
    "exchange_made": "Traces: {traces}, simulated: {simulated} · rows: {rows}.",
    "exchange_left": "Left out: {left}.",
    "exchange_import": "Import a file",
    "exchange_admins": "Only an administrator of this page may do that.",
    "exchange_odd_file": "Choose the .zip, .jsonl or .parquet of an export.",
    "exchange_large": "The file holds more than {limit} MB; import it with `orchestra import`.",
    "exchange_broken": "The zip cannot be read; export the traces again.",
    "exchange_kept": "{added} traces imported, {same} here already, {kept} whose id another trace has.",
    "exchange_votes": "Blind votes imported: {number}.",
    "exchange_more": "And {number} further problems.",
    "exchange_dataset": "Dataset on the Hugging Face Hub, as user/dataset; private",
    "exchange_push": "Push",
    "exchange_pushed": "{traces} traces with consent are at {address}.",
    "exchange_wipe": "Delete everything of mine",
    "exchange_wipe_sure": "Delete all your traces with their verdicts and votes, for good?",
    "exchange_wipe_yes": "Delete all",
    "exchange_wipe_no": "Keep them",
    "exchange_wiped": "{number} traces deleted.",
}
CHINESE = {
    "exchange_consent": "允许他人将此轨迹用于研究和训练",
    "exchange_notice_title": "保存什么，用于什么",
    "exchange_notice": "每次运行都保存为一条轨迹：问题、设置、每次调用及其结果和费用、答案以及人们的评判，"
    "并附上此浏览器的随机名称或你的登录名。保存是为了让你能查找、比较和标注。不勾选则绝不会导出给他人，且只有"
    "你和此页面的管理员能看到。在“轨迹”页打开一条轨迹即可删除它，在那里的“导出、导入、删除”中可删除你的全部轨迹。此前已导出的"
    "内容无法收回。",
    "exchange_title": "导出、导入、删除",
    "exchange_format": "格式",
    "exchange_jsonl": "JSONL：完整轨迹",
    "exchange_parquet": "Parquet：完整轨迹的表格",
    "exchange_toolorchestra": "ToolOrchestra：训练行",
    "exchange_sft": "用于监督微调的对话：仅正确答案",
    "exchange_shared": "用于分享：仅含已同意的轨迹，人名以编号代替",
    "exchange_mine": "我同意使用所有未登录时提出的问题，包括从别处导入的",
    "exchange_make": "生成文件",
    "exchange_file": "下载",
    "exchange_hint": "上方的筛选条件同样适用。",
    "exchange_made": "{traces} 条轨迹，{rows} 行，其中 {simulated} 条为模拟。",
    "exchange_left": "未包含：{left}。",
    "exchange_import": "导入文件",
    "exchange_admins": "只有此页面的管理员可以这样做。",
    "exchange_odd_file": "请选择导出的 .zip、.jsonl 或 .parquet 文件。",
    "exchange_large": "文件超过 {limit} MB；请用 `orchestra import` 导入。",
    "exchange_broken": "无法读取该 zip；请重新导出轨迹。",
    "exchange_kept": "已导入 {added} 条，已存在 {same} 条，{kept} 条的 id 已被另一条轨迹使用。",
    "exchange_votes": "已导入盲测投票：{number}。",
    "exchange_more": "另有 {number} 个问题。",
    "exchange_dataset": "Hugging Face Hub 上的数据集，写作 用户/数据集；私有",
    "exchange_push": "上传",
    "exchange_pushed": "{traces} 条已同意的轨迹位于 {address}。",
    "exchange_wipe": "删除我的全部轨迹",
    "exchange_wipe_sure": "永久删除你的全部轨迹及其评判和投票？",
    "exchange_wipe_yes": "全部删除",
    "exchange_wipe_no": "保留",
    "exchange_wiped": "已删除 {number} 条轨迹。",
}

_REASONS = {
    "still running": "仍在运行",
    "without consent": "未获同意",
    "without the snapshot of their catalogue": "缺少其目录的快照",
    "without a turn that the policy decided": "没有由策略决定的轮次",
    "of a question that has its row": "该问题已有一行",
    "with the chat protocol, which the reference does not run": "使用聊天协议，参考系统不支持",
    "with no gold answer": "没有标准答案",
    "with no turn": "没有轮次",
    "not labelled correct": "未标为正确",
    "with a model without a known price": "含有价格未知的模型",
}
"""Why an export leaves traces out, as `dataset.export` counts it."""
ENGLISH |= {f"exchange_left {reason}": reason for reason in _REASONS}
CHINESE |= {f"exchange_left {reason}": said for reason, said in _REASONS.items()}
