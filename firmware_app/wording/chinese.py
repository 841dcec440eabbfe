"""What the appliance says in Chinese (simplified)."""

from __future__ import annotations

from firmware_app.video.capture_state import CaptureState
from firmware_app.wording.reasons import Closing, Doubt, Reason, Rung, Severity
from firmware_app.wording.sentences import Labels, Sentences, Wording, refusals_of

_REFUSALS = {
    Reason.NO_SIGNAL: ("无视频信号", "请检查视频线和超声仪的视频输出"),
    Reason.UNREADABLE_PICTURE: ("图像无法读取", "请检查采集卡的视频格式"),
    Reason.OTHER_SCREEN: ("非弹性成像画面", "请切换到弹性成像双幅显示"),
    Reason.B_MODE: ("仅二维灰阶，无弹性图", "请切换到剪切波弹性成像"),
    Reason.DOPPLER: ("彩色多普勒，非弹性成像", "请切换到剪切波弹性成像"),
    Reason.POWER_DOPPLER: ("能量多普勒，非弹性成像", "请切换到剪切波弹性成像"),
    Reason.OTHER_ELASTOGRAPHY: ("应变弹性成像或其他机型", "请切换到剪切波弹性成像"),
    Reason.SCREEN_COVERED: ("画面被部分遮挡", "请关闭菜单或窗口"),
    Reason.OTHER_LAYOUT: ("画面布局与配置不符", "请使用双幅显示；若已是双幅，请联系技术人员"),
    Reason.LAYOUT_DRIFT: ("超声仪画面布局已改变", "请联系技术人员：需要新的画面配置"),
    Reason.PANES_DIFFER: ("两幅图像不是同一切面", "请使用同一切面的双幅显示"),
    Reason.NO_COLOUR_BOX: ("未找到弹性取样框", "请将取样框置于肝脏"),
    Reason.NO_Q_BOX: ("无 Q-box", "请放置 Q-box 后重新冻结"),
    Reason.SEVERAL_Q_BOXES: ("Q-box 多于一个", "请只保留一个 Q-box"),
    Reason.BAR_RANGE: ("色标量程不是 40 kPa", "请将量程设为 40 kPa"),
    Reason.BAR_UNREADABLE: ("色标量程无法读取", "请勿遮挡色标，并重新冻结"),
    Reason.BOX_UNFILLED: ("取样框未充满", "请屏气，待取样框充满"),
    Reason.MINIMUM_NEAR_ZERO: ("Q-box 内最小值接近零", "请将 Q-box 移离缺损区"),
    Reason.READOUT_DISAGREES: ("显示的硬度值与解码值不一致", "请重新冻结，并告知技术人员"),
    Reason.READOUT_UNREADABLE: ("显示的硬度值无法读取", "请勿遮挡测量值，并重新冻结"),
    Reason.UNSTABLE: ("稳定指数低于 90%", "请移动 Q-box，或保持不动后重新冻结"),
    Reason.DUPLICATE: ("与之前的图像相同", "请先实时扫查，再重新冻结"),
    Reason.PATIENT_CHANGED: ("患者已更换", "开始新的检查"),
    Reason.PICTURE_QUALITY: ("图像超出模型已知范围", "请检查增益和深度"),
    Reason.EXAM_COMPLETE: ("五次采集已完成", "请开始新的检查"),
    Reason.BEFORE_EXAM: ("图像在本次检查开始前已冻结", "请先实时扫查，再重新冻结"),
}

_DETAILS = {
    "Box {} % filled": "取样框充满 {}%",
    "{} picture of shape {}": "图像类型 {}，形状 {}",
    "{}x{} pixels": "{}x{} 像素",
    "solid picture, contrast {} of 255": "单色画面，对比度 {}/255",
    "nothing but noise": "只有噪声",
    "wrong colours": "颜色错误",
    "colour bars": "彩条测试图",
    "one colour all over": "整幅画面为同一颜色",
    "no stiffness bar": "无硬度色标",
    "only a part of the stiffness bar is in sight": "只看到硬度色标的一部分",
    "{} % of the picture in the colours of a map, no stiffness bar": "画面 {}% 为彩色图，无硬度色标",
    "{} % of the picture in the colours of a map, its bar is not in sight": "画面 {}% 为彩色图，看不到其色标",
    "{} % of the picture in flow colours": "画面 {}% 为血流色彩",
    "the stiffness bar stands at x {}, y {}": "硬度色标位于 x {}，y {}",
    "the gray pane stands {}, {} pixels from the elastogram's": "灰阶图与弹性图相距 {}，{} 像素",
    "other things on {} % of the two panes": "两幅图像中 {}% 为其他内容",
    "correlation {} outside the colour": "彩色区外相关系数 {}",
    "colour in both panes, {} % of the map": "两幅图像均有彩色，占 {}%",
    "no coloured region in the upper pane": "上方图像无彩色区域",
    "no outline around the coloured region": "彩色区域周围无边框",
    "outline seen on {} % of the box in the lower pane": "下方图像中边框仅见 {}%",
    "box {} % coloured": "取样框 {}% 有彩色",
    "something else than tissue where the box has no colour": "取样框无彩色处不是组织",
    "{} Q-boxes": "{} 个 Q-box",
    "no ring in the colour box": "取样框内无圆圈",
    "the Q-box reaches beyond the colour box": "Q-box 超出取样框",
    "minimum {} kPa": "最小值 {} kPa",
    "printed minimum {} kPa": "显示的最小值 {} kPa",
    "no printed mean with its unit": "未显示带单位的平均值",
    "no printed values, and the opacity is not known": "未显示测量值，且透明度未知",
    "stability index {} %": "稳定指数 {}%",
    "no number with a unit above the bar": "色标上方无带单位的数值",
    "{} {} instead of {} or {} kPa": "{} {}，应为 {} 或 {} kPa",
    "{} {} instead of {} kPa": "{} {}，应为 {} kPa",
    "{} {} on the screen, {} kPa in the model": "画面为 {} {}，模型为 {} kPa",
    "printed {} kPa, decoded {} kPa": "显示 {} kPa，解码 {} kPa",
    "gray-scale picture {} times the limit, elastogram {} times the limit": (
        "灰阶图为界限的 {} 倍，弹性图为界限的 {} 倍"
    ),
    "gray-scale picture {} times the limit": "灰阶图为界限的 {} 倍",
    "elastogram {} times the limit": "弹性图为界限的 {} 倍",
}

_SILENT = Wording("", Severity.QUIET, "")

CHINESE = Sentences(
    language="zh",
    notice="仅供研究使用。不得用于诊断。模型由模拟数据训练。",
    refusals=refusals_of(_REFUSALS),
    details=_DETAILS,
    closings={
        Closing.FINISHED: "检查已完成",
        Closing.UNFINISHED: "检查结束，无结果：采集少于三次",
        Closing.CANCELLED: "检查已取消",
        Closing.RESTARTED: "已开始新的检查",
        Closing.PATIENT_CHANGED: "患者已更换：下次冻结将开始新的检查",
        Closing.INTERRUPTED: "检查因中断而结束：患者可能已更换",
        Closing.IDLE: "检查已结束：半小时内无操作",
    },
    doubts={
        Doubt.NO_MODEL: "无模型：仅肝硬度",
        Doubt.FEWER_THAN_FIVE: "采集少于五次",
        Doubt.SPREAD: "肝硬度 IQR/中位数大于 30%",
        Doubt.NO_READOUT: "肝硬度未与显示值核对",
    },
    phases={
        "waiting": Wording("就绪", Severity.QUIET, "请放置 Q-box 并冻结"),
        "scanning": Wording("", Severity.QUIET, "请实时扫查，然后冻结"),
        "held": Wording(
            "是同一患者吗？", Severity.NOTICE, "请在床旁页面继续本次检查，或继续扫查以开始新的检查"
        ),
        "complete": _SILENT,
        "closed": _SILENT,
    },
    captures={
        CaptureState.STARTING: Wording("等待视频", Severity.QUIET, "请打开超声仪"),
        CaptureState.LIVE: _SILENT,
        CaptureState.ENDED: _SILENT,
        CaptureState.NO_DEVICE: Wording(
            "未找到视频设备", Severity.ALARM, "请插入采集卡或打开编码器，并检查设备名称和密码"
        ),
        CaptureState.NO_CABLE: Wording("未接视频线", Severity.ALARM, "请插好视频线两端，并打开超声仪"),
        CaptureState.NO_SIGNAL: Wording("无视频信号", Severity.ALARM, "请检查视频线和超声仪的视频输出"),
        CaptureState.UNSUPPORTED_TIMING: Wording(
            "不支持的视频格式", Severity.ALARM, "请将超声仪输出设为 1080p 或 1280x1024，60 Hz"
        ),
        CaptureState.FROZEN_SOURCE: Wording(
            "画面静止不动", Severity.ALARM, "请与超声仪屏幕比对，并重新插入采集设备"
        ),
        CaptureState.BAD_COLOURS: Wording(
            "颜色错误", Severity.ALARM, "请检查视频线，并将超声仪输出设为 RGB 全范围"
        ),
    },
    rungs={
        Rung.NO_MODEL: Wording("无模型：仅硬度", Severity.ALARM, "请通知技术员：没有可用的模型包"),
        Rung.EARLIER_BUNDLE: Wording(
            "正在使用上一个模型", Severity.NOTICE, "请通知技术员：已安装的模型包失败"
        ),
        Rung.GPU_LOST: Wording("GPU 故障：由处理器计算", Severity.NOTICE, "检查结束后请重新启动设备"),
        Rung.OUTBOX_IN_MEMORY: Wording(
            "结果暂存于内存，未写入磁盘", Severity.ALARM, "请勿关机；请通知技术员检查磁盘"
        ),
        Rung.DISK_FULL: Wording("磁盘将满：仅保留结果", Severity.ALARM, "请通知技术员清理磁盘空间"),
        Rung.RECORDS_LOST: Wording("无法写入记录", Severity.ALARM, "请通知技术员检查磁盘"),
        Rung.SCREEN_MISSING: Wording("没有显示屏", Severity.NOTICE, "请连接或打开显示屏；每 10 秒重试一次"),
        Rung.BROKER_AWAY: Wording("无法连接科室", Severity.NOTICE, "结果不会丢失，正在此等待；请检查网络"),
        Rung.FEWER_PREVIEWS: Wording(
            "分析较慢：预览减少", Severity.QUIET, "结果不会丢失；请通知技术员检查散热"
        ),
        Rung.PAGE_MISSING: Wording("页面未提供", Severity.QUIET, "请通知技术员：端口被占用，请查看日志"),
        Rung.CLOCK_UNTRUSTED: Wording("时钟未同步", Severity.QUIET, "请通知技术员检查时间服务器"),
    },
    faults={
        "unknown_command": "没有此命令",
        "malformed": "命令无法读取",
        "too_many": "命令过多：请稍候",
        "no_exam": "没有进行中的检查",
        "other_exam": "当前已是另一次检查：未作任何更改",
        "no_such_acquisition": "本次检查中没有该采集",
        "not_held": "本次检查并未等待继续",
        "implausible": "血清值不合理",
    },
    labels=Labels(
        stage="肝纤维化分期",
        no_outcome="尚无结果",
        indeterminate="不确定",
        provisional="暂定，{n}/{needed}",
        final="最终，{n}/{needed}",
        elsewhere="屏幕上不是该患者",
        preview_remark="预览：实时，不计入",
        stiffness="肝硬度",
        mean="平均值",
        median="中位数",
        spread="IQR/中位数",
        spread_ok="可靠：不超过 {limit}%",
        spread_bad="不可靠：超过 {limit}%",
        acquisitions="采集",
        progress="{n}/{needed}",
        refused="已拒绝 {n} 次",
        activation="网络关注区域",
        no_model="无模型",
        gpu_failed="GPU 故障",
        latency="分析 {ms} ms",
        delay="显示延迟 {ms} ms，丢失 {dropped} 帧",
        done="已完成",
        colon="：",
        decimal=".",
    ),
)
