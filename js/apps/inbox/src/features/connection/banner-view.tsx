// The strip on top of everything that says when the connection is gone, and when it is back.
import type { JSX } from "preact";
import { t } from "../../i18n";
import { Icon } from "../../ui/icon";
import css from "./banner.module.css";
import type { Banner } from "./model";

export interface BannerViewProps {
  banner: Banner;
  onRetry: () => void;
  onReload: () => void;
}

export function BannerView({ banner, onRetry, onReload }: BannerViewProps): JSX.Element {
  return (
    <div class={css.place} role="status" data-testid="banner" data-kind={banner.kind}>
      {banner.kind === "none" ? null : (
        <div class={`${css.banner} ${css[banner.kind]}`}>
          <Icon name={banner.kind === "back" ? "check" : "offline"} size={18} />
          <Words banner={banner} />
          {banner.kind === "waiting" ? (
            <button type="button" onClick={onRetry}>
              {t("connection.retry")}
            </button>
          ) : null}
          {banner.kind === "stopped" ? (
            <button type="button" onClick={onReload}>
              {t("connection.reload")}
            </button>
          ) : null}
        </div>
      )}
    </div>
  );
}

function Words({ banner }: { banner: Exclude<Banner, { kind: "none" }> }): JSX.Element {
  switch (banner.kind) {
    case "offline":
      return (
        <span>
          <strong>{t("connection.offline")}</strong>{" "}
          <span class={css.more}>{t("connection.offline.queue")}</span>
        </span>
      );
    case "connecting":
      return <span>{t("connection.connecting")}</span>;
    case "waiting":
      // The seconds change all the time: a screen reader hears only that there is no connection.
      return (
        <span>
          <span aria-hidden="true">{t("connection.waiting", { count: banner.seconds })}</span>
          <span class="visually-hidden">{t("connection.connecting")}</span>
        </span>
      );
    case "stopped":
      return <span>{t("connection.stopped", { why: banner.reason })}</span>;
    case "back":
      return <span>{t("connection.back")}</span>;
  }
}
