use std::sync::Mutex;

use futures_channel::oneshot;
use futures_util::FutureExt;

use super::*;
use crate::clock::Clock;
use crate::runtime::Runtime;

fn executor(seed: u64) -> (Executor, Process) {
    let executor = Executor::new(Dice::new(seed));
    let process = executor.machine(Duration::ZERO).start();
    (executor, process)
}

/// The order in which ten tasks get somewhere.
fn order(seed: u64) -> Vec<usize> {
    let (executor, process) = executor(seed);
    let order = Arc::new(Mutex::new(Vec::new()));
    for n in 0..10 {
        let (order, sleeper) = (Arc::clone(&order), process.clone());
        process.spawn(
            async move {
                sleeper.sleep(Duration::from_secs(n % 3)).await;
                sleeper.yield_now().await;
                order.lock().unwrap().push(usize::try_from(n).unwrap());
            }
            .boxed(),
        );
    }
    executor.run(process.sleep(Duration::from_secs(5))).unwrap();
    let order = order.lock().unwrap().clone();
    assert_eq!(order.len(), 10);
    order
}

#[test]
fn a_seed_decides_who_runs_next() {
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    assert_eq!(order(1)[..4].iter().map(|n| n % 3).collect::<Vec<_>>(), [0; 4], "timers fire in order");
}

#[test]
fn killing_a_process_drops_its_tasks_at_once_and_those_it_starts_later() {
    struct Noisy(Arc<Mutex<u32>>);
    impl Drop for Noisy {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let (executor, process) = executor(1);
    let other = executor.machine(Duration::ZERO).start();
    let n_dropped = Arc::new(Mutex::new(0));
    let noisy = || {
        let noisy = Noisy(Arc::clone(&n_dropped));
        async move {
            let _noisy = noisy;
            std::future::pending::<()>().await;
        }
        .boxed()
    };
    process.spawn(noisy());
    process.spawn(noisy());
    let killer = process.clone();
    // It kills itself, and never runs on.
    process.spawn(
        async move {
            killer.kill();
            killer.yield_now().await;
            panic!("a dead task runs");
        }
        .boxed(),
    );
    executor.run(other.sleep(Duration::from_millis(1))).unwrap();
    assert!(!process.is_alive());
    process.spawn(noisy());
    assert_eq!(*n_dropped.lock().unwrap(), 3);
}

#[test]
fn clocks_jump_and_timers_do_not_care() {
    let executor = Executor::new(Dice::new(1));
    let (machine, other) = (executor.machine(Duration::from_secs(3)), executor.machine(Duration::ZERO));
    assert_eq!(machine.now().since(other.now()), Duration::from_secs(3));
    let process = machine.start();
    let sleep = process.sleep(Duration::from_secs(10));
    machine.jump(-20_000_000);
    executor.run(sleep).unwrap();
    assert_eq!(executor.now(), Duration::from_secs(10));
    assert_eq!(other.now().since(process.now()), Duration::from_secs(17));
}

#[test]
fn waiting_for_nothing_and_spinning_are_told() {
    let (asleep, _) = executor(1);
    assert_eq!(asleep.run(std::future::pending::<()>()), Err(Stuck::Asleep));
    let (spinning, process) = executor(1);
    let spin = async {
        loop {
            process.yield_now().await;
        }
    };
    assert_eq!(spinning.run::<()>(spin), Err(Stuck::Spinning));
}

#[test]
fn time_waits_for_what_another_thread_does() {
    let (executor, process) = executor(1);
    let (tell, told) = oneshot::channel();
    let call = InFlight::new(&process, None, told);
    let timer = process.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        tell.send(7).unwrap();
    });
    let main = async move { (call.await, timer.elapsed()) };
    process.spawn(process.sleep(Duration::from_secs(1)));
    assert_eq!(executor.run(main).unwrap(), (Ok(7), Duration::ZERO));
    thread.join().unwrap();
}

#[test]
fn who_waits_for_a_turn_of_someone_asleep_does_not_hold_up_time() {
    let (executor, process) = executor(1);
    let gate = executor.gate();
    let inside = gate.enter();
    let (tell, told) = oneshot::channel();
    let waiting = InFlight::new(&process, Some(&gate), told);
    let sleeper = process.clone();
    process.spawn(
        async move {
            sleeper.sleep(Duration::from_secs(1)).await;
            drop(inside);
            tell.send(()).unwrap();
        }
        .boxed(),
    );
    executor.run(waiting).unwrap().unwrap();
    assert_eq!(executor.now(), Duration::from_secs(1));
}
