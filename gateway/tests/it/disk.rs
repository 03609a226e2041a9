//! Bad disks: full, or read-only. Nothing is told that is not kept, and what was told is there
//! again once there is room.

use crate::{harness::Gateway, orders::market};
use mymt5_proto::{Reason, reason_of, v1};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A small file system of its own where the gateway keeps its data.
struct Disk(PathBuf);

impl Disk {
    /// None, with a word, where no file system may be mounted.
    fn mount(folder: &Path) -> Option<Self> {
        let data = folder.join("data");
        fs::create_dir(&data).unwrap();
        let options = c"size=1m,mode=0700";
        match mount("tmpfs", &data, "tmpfs", MountFlags::empty(), options) {
            Ok(()) => Some(Self(data)),
            Err(error) => {
                println!("skipped: no file system can be mounted here");
                assert!(std::env::var_os("MYMT5_REQUIRE").is_none(), "{error}");
                None
            }
        }
    }

    fn read_only(&self, on: bool) {
        let flags = if on {
            MountFlags::RDONLY
        } else {
            MountFlags::empty()
        };
        mount_remount(&self.0, flags, "").unwrap();
    }

    /// Fills it but for so many bytes.
    fn fill(&self, leave: usize) {
        let mut filler = fs::File::create(self.0.join("filler")).unwrap();
        let mut filled = 0;
        while let Ok(written) = filler.write(&[1; 4096]) {
            filled += written;
        }
        filler
            .set_len((filled.saturating_sub(leave)) as u64)
            .unwrap();
    }

    fn clear(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

async fn submit(gateway: &Gateway, id: &str) -> Result<v1::Order, tonic::Status> {
    let request = market(id, v1::Side::Buy, 0.01);
    let answer = gateway.trading().await.submit_order(request).await?;
    Ok(answer.into_inner().order.unwrap())
}

async fn kept(gateway: &Gateway, id: &str) -> v1::Order {
    let id = v1::get_order_request::Id::ClientOrderId(id.into());
    let request = v1::GetOrderRequest { id: Some(id) };
    let answer = gateway.trading().await.get_order(request).await.unwrap();
    answer.into_inner().order.unwrap()
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_pretended_and_nothing_told_is_missing() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = Disk::mount(folder.path()) else {
        return;
    };
    let mut gateway = Gateway::start_in(folder, "").await;
    gateway.quoted("EURUSD").await;
    submit(&gateway, "before").await.unwrap();
    disk.fill(100 * 1024);
    let (mut told, mut refused) = (Vec::new(), None);
    for number in 0..500 {
        match submit(&gateway, &format!("id-{number}")).await {
            Ok(order) if order.state() == v1::OrderState::Filled => told.push(order),
            Ok(_) => {}
            Err(status) => {
                refused = Some(status);
                break;
            }
        }
    }
    let refused = refused.expect("the disk is full");
    // The commit that failed may be there all the same: only what comes after it is surely not.
    let unsure = Some(Reason::JournalLost);
    let clear = [Some(Reason::JournalDown), Some(Reason::LinkDown), unsure];
    assert!(clear.contains(&reason_of(&refused)), "{refused:?}");
    let next = submit(&gateway, "next").await.unwrap_err();
    assert!(clear[..2].contains(&reason_of(&next)), "{next:?}");
    disk.clear();
    gateway.crash_and_return().await;
    for order in told {
        let again = kept(&gateway, &order.client_order_id).await;
        assert_eq!(
            (again.state(), again.filled_lots),
            (order.state(), order.filled_lots)
        );
    }
}

#[tokio::test]
async fn on_a_read_only_disk_it_does_not_start_and_says_where() {
    let folder = TempDir::new().unwrap();
    let Some(disk) = Disk::mount(folder.path()) else {
        return;
    };
    let mut gateway = Gateway::start_in(folder, "").await;
    gateway.quoted("EURUSD").await;
    submit(&gateway, "before").await.unwrap();
    gateway.child.kill().await.unwrap();
    disk.read_only(true);
    let arguments = ["run", "--config", "gateway.toml"];
    let output = gateway.command(&arguments, None).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("data") && said.contains("Read-only"),
        "{said}"
    );
    disk.read_only(false);
    gateway.crash_and_return().await;
    let again = kept(&gateway, "before").await;
    assert_eq!(again.state(), v1::OrderState::Filled);
}

#[tokio::test]
async fn the_alarm_comes_before_the_disk_is_full() {
    let folder = TempDir::new().unwrap();
    let Some(_disk) = Disk::mount(folder.path()) else {
        return;
    };
    let gateway = Gateway::start_in(folder, "").await;
    let room = gateway.status().await.disk.unwrap();
    // All of that file system is less than what the alarm asks for.
    assert!(room.low && room.free_bytes.unwrap() < 1 << 20, "{room:?}");
    assert_eq!(room.alarm_bytes, 1 << 30);
    let arguments = ["status", "--data-folder", "data"];
    let output = gateway.command(&arguments, None).await;
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("ALMOST FULL"), "{output:?}");
    gateway.says("make room").await;
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("mymt5_disk_free_bytes"), "{metrics}");
}
